-- What happened to each invoice: last values; counts, sums, means of 7, 30 and 90 days, and ever.
with own_events as (
    select invoice, invoice_date as known_at, 1 as own_events_orders_before,
        cast(columns(['lines', 'units', 'amount']) as decimal(38, 12)) as
          "own_numbers_orders_before_\0", country as own_word_orders_before_country
    from (select c.invoice_date, c.country, c.lines, c.units, c.amount, l.invoice
        from orders as c
        join orders as l on c.customer_id = l.customer_id and c.invoice_date < l.invoice_date)
        where invoice is not null and invoice_date is not null
    union all by name
    select invoice, outcome_known_at as known_at, 1 as own_outcomes_orders_outcomes,
        cast(returned as decimal(38, 12)) as own_results_orders_outcomes_returned
    from (select l.invoice, c.invoice_date + interval '30 days' as outcome_known_at,
        cast(c.returned as bigint) as returned from orders as c
        join orders as l on c.customer_id = l.customer_id and c.invoice_date + interval '30 days'
        <= l.invoice_date where c.returned is not null)
        where invoice is not null and outcome_known_at is not null
    union all by name
    select invoice, credited_at as known_at, 1 as own_events_credit_notes,
        cast(columns(['units', 'price']) as decimal(38, 12)) as "own_numbers_credit_notes_\0"
    from (select c.credit_note, c.customer_id, c.credited_at, c.stock_code, c.units, c.price,
        l.asked_at, l.invoice from credit_notes as c
        join (select distinct invoice, customer_id as own_key, invoice_date as asked_at
        from orders) as l on c.customer_id = l.own_key)
        where invoice is not null and credited_at is not null
), own_changes as (  -- an event counts from its moment on, in a window until it is that old
    select * replace (known_at + window_days * interval '1 day' as known_at), window_days,
        own_events as own_row, if(window_days = 0, 1, -1) as own_sign,
        if(window_days in (0, 7), columns('^own_([a-z]+s)_(.*)'), null) as "own_in_\1_7d_\2",
        if(window_days in (0, 30), columns('^own_([a-z]+s)_(.*)'), null) as "own_in_\1_30d_\2",
        if(window_days in (0, 90), columns('^own_([a-z]+s)_(.*)'), null) as "own_in_\1_90d_\2",
        if(window_days in (0), columns('^own_(outcomes|results)_(.*)'), null) as "own_in_\1_ever_\2"
    from own_events cross join (values (0), (7), (30), (90)) as w(window_days)
), own_sums as (
    select invoice, known_at,
        {'held': sum(if(columns('^own_in_(.*)') is null, null, own_sign)) over so_far,
          'total': sum(own_sign * columns('^own_in_(.*)')) over so_far} as "own_\1",
        cast(last_value(case window_days when 0 then columns('^own_(?:numbers|results)_(.*)') end
            ignore nulls) over so_far as double) as "own_told_\1_last",
        last_value(case window_days when 0 then columns('^own_word_(.*)') end
            ignore nulls) over so_far as "own_told_\1_last"
    from own_changes window so_far as (partition by invoice
        order by known_at, window_days desc, own_row rows unbounded preceding)
    qualify lead(known_at) over so_far is distinct from known_at
) select invoice, known_at as event_timestamp, columns('^own_told_(.*)') as "\1",
    cast(columns('^own_(?:events|outcomes)_([^_]+)_(.*)').held as bigint) as "\2_\1",
    cast(columns('^own_(?:numbers|results)_([^_]+)_(.*)').total as double)
        / nullif(columns('^own_(?:numbers|results)_([^_]+)_(.*)').held, 0) as "\2_mean_\1",
    case when columns('^own_numbers_([^_]+)_(.*)').held > 0
        then cast(columns('^own_numbers_([^_]+)_(.*)').total as double) end as "\2_sum_\1"
from own_sums order by invoice, event_timestamp
