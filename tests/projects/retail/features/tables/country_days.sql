-- What is known of each country when a day is over.
select
    country,
    day + interval '1 day' as event_timestamp,
    units as units_today,
    lag(units, 6) over country_in_order as units_6d_ago,
    avg(units) over (country_in_order rows between 27 preceding and current row) as units_28d,
    cast(lag(orders, 6) over country_in_order > 0 as bigint) + cast(lag(orders, 13) over country_in_order > 0 as bigint)
        + cast(lag(orders, 20) over country_in_order > 0 as bigint) + cast(lag(orders, 27) over country_in_order > 0 as bigint) as open_4w,
    cast(dayofweek(timezone('UTC', day)) as bigint) as weekday
from days
window country_in_order as (partition by country order by day)
order by country, event_timestamp
