-- Each household that has bought before, every fourth Monday: in which department will its next basket have the most money?
-- Known when it has bought again; who does not within 28 days is left out.
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
), begun as (
    select household_id, min(bought_at) as first_at from mains group by household_id
), moments as (
    select unnest(generate_series(timestamptz '2017-02-06 05:00:00+00', timestamptz '2017-12-04 05:00:00+00', interval '28 days')) as moment
)
select
    household_id,
    moment as event_timestamp,
    case when department in ('GROCERY', 'DRUG GM', 'FUEL', 'PRODUCE', 'MEAT', 'DELI') then department else 'OTHER' end
        as next_department,
    bought_at as label_timestamp
from moments
join begun on first_at <= moment
join mains using (household_id)
where bought_at > moment and bought_at <= moment + interval '28 days'
qualify row_number() over (partition by household_id, moment order by bought_at, basket_id) = 1
order by event_timestamp, household_id
