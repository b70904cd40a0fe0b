-- What a household bought in the weeks before, told each Monday at 05:00 UTC: midnight of New York's winter, when nobody buys.
with baskets as (
    select household_id, basket_id, any_value(transaction_timestamp) as bought_at,
        sum(cast(sales_value as decimal(18, 2))) as sales, sum(cast(retail_disc as decimal(18, 2))) as discount,
        sum(cast(coupon_disc as decimal(18, 2))) as coupons
    from transactions
    group by household_id, basket_id
), bought as (
    select household_id, date_trunc('week', bought_at - interval '5 hours') + interval '173 hours' as tick,
        count(*) as baskets, sum(sales) as sales, sum(discount) as discount, sum(coupons) as coupons, max(bought_at) as last_at
    from baskets
    group by household_id, tick
), begun as (
    select household_id, min(tick) as first_tick from bought group by household_id
), ticks as (
    select unnest(generate_series(min(tick), max(tick), interval '7 days')) as tick from bought
), grid as (
    select begun.household_id, ticks.tick, coalesce(baskets, 0) as baskets, coalesce(sales, 0) as sales,
        coalesce(discount, 0) as discount, coalesce(coupons, 0) as coupons, last_at, first_tick
    from begun
    join ticks on ticks.tick >= begun.first_tick
    left join bought on bought.household_id = begun.household_id and bought.tick = ticks.tick
)
select
    household_id,
    tick as event_timestamp,
    cast(sales as double) as sales_1w,
    cast(sum(sales) over (weeks rows 3 preceding) as double) as sales_4w,
    cast(sum(sales) over (weeks rows 11 preceding) as double) as sales_12w,
    cast(baskets as bigint) as baskets_1w,
    cast(sum(baskets) over (weeks rows 3 preceding) as bigint) as baskets_4w,
    cast(sum(baskets) over (weeks rows 11 preceding) as bigint) as baskets_12w,
    cast(sum(discount) over (weeks rows 11 preceding) as double) as discount_12w,
    cast(sum(coupons) over (weeks rows 11 preceding) as double) as coupons_12w,
    cast(date_diff('minute', max(last_at) over weeks, tick) / 1440.0 as double) as days_since_basket,
    cast(date_diff('day', first_tick, tick) // 7 as bigint) as weeks_known
from grid
window weeks as (partition by household_id order by tick)
order by household_id, event_timestamp
