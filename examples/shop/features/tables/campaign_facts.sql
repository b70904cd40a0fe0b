-- What is known of a campaign on its first day.
select
    campaign_id,
    any_value(start_date) as event_timestamp,
    any_value(campaign_type) as campaign_kind,
    cast(date_diff('day', any_value(start_date), any_value(end_date)) as bigint) as campaign_days,
    cast(count(distinct coupon_upc) as bigint) as campaign_coupons,
    cast(count(distinct product_id) as bigint) as campaign_products
from campaign_descriptions left join coupons using (campaign_id)
group by campaign_id
order by campaign_id, event_timestamp
