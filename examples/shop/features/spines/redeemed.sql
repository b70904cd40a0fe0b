-- Each household that a campaign's coupons are sent to, on its first day: does it redeem one of them before the campaign ends?
-- Known when the last day is over; campaigns that ran on after the year have no label yet, and what has none is not negative.
select
    household_id,
    campaign_id,
    start_date as event_timestamp,
    campaign_type,
    exists (
        select 1 from coupon_redemptions as used
        where used.household_id = campaigns.household_id and used.campaign_id = campaigns.campaign_id
    ) as redeemed,
    end_date + interval '29 hours' as label_timestamp
from campaigns join campaign_descriptions using (campaign_id)
where start_date >= timestamptz '2017-02-01 00:00:00+00' and end_date < timestamptz '2017-12-31 00:00:00+00'
order by event_timestamp, household_id, campaign_id
