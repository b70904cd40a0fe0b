-- How often a household had bought, in the 84 days before a campaign, what the campaign's coupons are for.
with offered as (
    select distinct campaign_id, product_id from coupons
), bought as (
    select campaigns.household_id, campaigns.campaign_id,
        count(*) as lines, count(distinct product_id) as products, sum(cast(sales_value as decimal(18, 2))) as sales
    from campaigns
    join campaign_descriptions using (campaign_id)
    join transactions using (household_id)
    join offered using (campaign_id, product_id)
    where transaction_timestamp <= start_date and transaction_timestamp > start_date - interval '84 days'
    group by campaigns.household_id, campaigns.campaign_id
)
select
    household_id,
    campaign_id,
    start_date as event_timestamp,
    coalesce(lines, 0) as match_lines,
    coalesce(products, 0) as match_products,
    cast(coalesce(sales, 0) as double) as match_sales
from campaigns join campaign_descriptions using (campaign_id) left join bought using (household_id, campaign_id)
order by household_id, campaign_id, event_timestamp
