-- How many campaigns a household was sent, and what it redeemed. A redemption has a day, and is known when the day is over
-- in New York: 29 hours after its midnight UTC, in summer an hour late.
with changes as (
    select household_id, start_date as known_at, 1 as campaign, 0 as redeemed
    from campaigns join campaign_descriptions using (campaign_id)
    union all
    select household_id, redemption_date + interval '29 hours', 0, 1 from coupon_redemptions
), moments as (
    select household_id, known_at, sum(campaign) as campaigns, sum(redeemed) as redeemed from changes group by household_id, known_at
)
select
    household_id,
    known_at as event_timestamp,
    cast(sum(campaigns) over so_far as bigint) as campaigns_sent,
    cast(sum(redeemed) over so_far as bigint) as coupons_redeemed,
    cast(sum(redeemed) over so_far as double) / nullif(cast(sum(campaigns) over so_far as double), 0) as redeemed_per_campaign
from moments
window so_far as (partition by household_id order by known_at)
order by household_id, event_timestamp
