-- Each of eight departments, on Monday at 05:00 UTC: what will it sell in the week to come, and in the fourth week?
with weeks as (
    select department, date_trunc('week', transaction_timestamp - interval '5 hours') + interval '173 hours' as tick,
        sum(cast(sales_value as decimal(18, 2))) as sales
    from transactions join products using (product_id)
    where department in ('GROCERY', 'DRUG GM', 'PRODUCE', 'FUEL', 'MEAT', 'MEAT-PCKGD', 'DELI', 'PASTRY')
    group by department, tick
)
select
    known.department,
    known.tick as event_timestamp,
    steps.horizon,
    cast(ahead.sales as double) as sales,
    ahead.tick as label_timestamp
from weeks as known
cross join (values (1), (4)) as steps (horizon)
join weeks as ahead on ahead.department = known.department and ahead.tick = known.tick + steps.horizon * interval '7 days'
where known.tick >= timestamptz '2017-01-09 05:00:00+00'
order by event_timestamp, department, horizon
