-- What orders says of each invoice at the moment of a prediction.
select invoice, invoice_date as event_timestamp,
    country as orders_country, lines as orders_lines, units as orders_units,
    amount as orders_amount, isodow(invoice_date)::bigint as orders_weekday,
    month(invoice_date)::bigint as orders_month, hour(invoice_date)::bigint as orders_hour
from orders where invoice is not null and invoice_date is not null
order by invoice, event_timestamp
