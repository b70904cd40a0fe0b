-- What a department sold in the weeks before, told each Monday at 05:00 UTC, and what the calendar says of the weeks to come.
with weeks as (
    select department, date_trunc('week', transaction_timestamp - interval '5 hours') + interval '173 hours' as tick,
        sum(cast(sales_value as decimal(18, 2))) as sales
    from transactions join products using (product_id)
    where department in ('GROCERY', 'DRUG GM', 'PRODUCE', 'FUEL', 'MEAT', 'MEAT-PCKGD', 'DELI', 'PASTRY')
    group by department, tick
)
select
    department,
    tick as event_timestamp,
    cast(sales as double) as sales_1w,
    cast(lag(sales, 1) over by_week as double) as sales_2w,
    cast(lag(sales, 2) over by_week as double) as sales_3w,
    cast(lag(sales, 3) over by_week as double) as sales_4w,
    cast(avg(sales) over (by_week rows 3 preceding) as double) as sales_mean_4w,
    cast(avg(sales) over (by_week rows 11 preceding) as double) as sales_mean_12w,
    cast(day(tick + interval '6 days') < 8 as bigint) as month_begins_1w,
    cast(day(tick + interval '27 days') < 8 as bigint) as month_begins_4w
from weeks
window by_week as (partition by department order by tick)
order by department, event_timestamp
