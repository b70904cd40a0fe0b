-- Each household that has bought in the last 84 days, when a month begins: what will it spend in the next 30 days?
with moments as (
    select unnest(generate_series(timestamptz '2017-02-01 05:00:00+00', timestamptz '2017-12-01 05:00:00+00', interval '1 month')) as moment
), baskets as (
    select household_id, transaction_timestamp as bought_at, sum(cast(sales_value as decimal(18, 2))) as sales
    from transactions
    group by household_id, bought_at
)
select
    household_id,
    moment as event_timestamp,
    cast(coalesce(sum(sales) filter (bought_at > moment), 0) as double) as spend,
    moment + interval '30 days' as label_timestamp
from moments
join baskets on bought_at > moment - interval '84 days' and bought_at <= moment + interval '30 days'
group by household_id, moment
having count(*) filter (bought_at <= moment) > 0
order by event_timestamp, household_id
