-- credit_notes of each invoice: the last values; counts, sums and means of 7, 30, 90 days before a moment.
with own_events as (
    select invoice, credited_at as known_at, units, cast(price as decimal(38, 12)) as price
    from (select c.credit_note, c.customer_id, c.credited_at, c.stock_code, c.units, c.price, l.invoice from credit_notes as c join (select distinct invoice, customer_id as own_key from orders) as l on c.customer_id = l.own_key) where invoice is not null and credited_at is not null
), own_changes as (  -- an event counts from its moment on, and in a window until it is that old
    select invoice, known_at + window_days * interval '1 day' as known_at, window_days, case window_days when 0 then 1 else -1 end as event_count, units, price
    from own_events cross join (values (0), (7), (30), (90)) as w(window_days)
), own_sums as (
    select invoice, known_at, sum(event_count) filter (window_days in (0, 7)) over so_far as own_count_7, sum(event_count) filter (window_days in (0, 30)) over so_far as own_count_30, sum(event_count) filter (window_days in (0, 90)) over so_far as own_count_90,
        sum(event_count * units) filter (window_days in (0, 7)) over so_far as own_sum_7_units, sum(event_count * units) filter (window_days in (0, 30)) over so_far as own_sum_30_units, sum(event_count * units) filter (window_days in (0, 90)) over so_far as own_sum_90_units,
        sum(event_count * price) filter (window_days in (0, 7)) over so_far as own_sum_7_price, sum(event_count * price) filter (window_days in (0, 30)) over so_far as own_sum_30_price, sum(event_count * price) filter (window_days in (0, 90)) over so_far as own_sum_90_price,
        last_value(case window_days when 0 then units end ignore nulls) over so_far as own_last_units, last_value(case window_days when 0 then price end ignore nulls) over so_far as own_last_price
    from own_changes window so_far as (partition by invoice order by known_at, window_days desc, units, price rows unbounded preceding)
    qualify lead(known_at) over so_far is distinct from known_at
) select invoice, known_at as event_timestamp, cast(own_count_7 as bigint) as credit_notes_7d, cast(own_count_30 as bigint) as credit_notes_30d, cast(own_count_90 as bigint) as credit_notes_90d,
    case when own_count_7 > 0 then cast(own_sum_7_units as double) end as credit_notes_units_sum_7d, case when own_count_30 > 0 then cast(own_sum_30_units as double) end as credit_notes_units_sum_30d, case when own_count_90 > 0 then cast(own_sum_90_units as double) end as credit_notes_units_sum_90d, cast(own_sum_7_units as double) / nullif(own_count_7, 0) as credit_notes_units_mean_7d, cast(own_sum_30_units as double) / nullif(own_count_30, 0) as credit_notes_units_mean_30d, cast(own_sum_90_units as double) / nullif(own_count_90, 0) as credit_notes_units_mean_90d,
    case when own_count_7 > 0 then cast(own_sum_7_price as double) end as credit_notes_price_sum_7d, case when own_count_30 > 0 then cast(own_sum_30_price as double) end as credit_notes_price_sum_30d, case when own_count_90 > 0 then cast(own_sum_90_price as double) end as credit_notes_price_sum_90d, cast(own_sum_7_price as double) / nullif(own_count_7, 0) as credit_notes_price_mean_7d, cast(own_sum_30_price as double) / nullif(own_count_30, 0) as credit_notes_price_mean_30d, cast(own_sum_90_price as double) / nullif(own_count_90, 0) as credit_notes_price_mean_90d,
    cast(own_last_units as double) as credit_notes_units_last, cast(own_last_price as double) as credit_notes_price_last
from own_sums order by invoice, event_timestamp
