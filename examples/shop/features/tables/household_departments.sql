-- Where a household's baskets of the last 12 weeks had their most money, told each Monday at 05:00 UTC.
with parts as (
    select household_id, basket_id, any_value(transaction_timestamp) as bought_at, department,
        sum(cast(sales_value as decimal(18, 2))) as sales
    from transactions join products using (product_id)
    group by household_id, basket_id, department
), mains as (
    select household_id, basket_id, any_value(bought_at) as bought_at,
        (list(department order by sales desc, department))[1] as department
    from parts
    group by household_id, basket_id
), weeks as (
    select household_id, date_trunc('week', bought_at - interval '5 hours') + interval '173 hours' as tick, bought_at, basket_id,
        case when department in ('GROCERY', 'DRUG GM', 'FUEL', 'PRODUCE', 'MEAT', 'DELI') then department else 'OTHER' end
            as department
    from mains
), counted as (
    select household_id, tick, count(*) as baskets,
        count(*) filter (department = 'GROCERY') as grocery, count(*) filter (department = 'DRUG GM') as drug,
        count(*) filter (department = 'FUEL') as fuel, count(*) filter (department = 'PRODUCE') as produce,
        count(*) filter (department = 'MEAT') as meat, count(*) filter (department = 'DELI') as deli,
        (list(department order by bought_at desc, basket_id desc))[1] as newest
    from weeks
    group by household_id, tick
), begun as (
    select household_id, min(tick) as first_tick from counted group by household_id
), ticks as (
    select unnest(generate_series(min(tick), max(tick), interval '7 days')) as tick from counted
), grid as (
    select begun.household_id, ticks.tick, counted.* exclude (household_id, tick)
    from begun
    join ticks on ticks.tick >= begun.first_tick
    left join counted on counted.household_id = begun.household_id and counted.tick = ticks.tick
)
select
    household_id,
    tick as event_timestamp,
    sum(grocery) over quarter / nullif(sum(baskets) over quarter, 0) as grocery_share,
    sum(drug) over quarter / nullif(sum(baskets) over quarter, 0) as drug_share,
    sum(fuel) over quarter / nullif(sum(baskets) over quarter, 0) as fuel_share,
    sum(produce) over quarter / nullif(sum(baskets) over quarter, 0) as produce_share,
    sum(meat) over quarter / nullif(sum(baskets) over quarter, 0) as meat_share,
    sum(deli) over quarter / nullif(sum(baskets) over quarter, 0) as deli_share,
    last_value(newest ignore nulls) over (partition by household_id order by tick) as last_department
from grid
window quarter as (partition by household_id order by tick rows 11 preceding)
order by household_id, event_timestamp
