-- Who is predicted, when, and what came of it.
select invoice, invoice_date as event_timestamp, returned,
    invoice_date + interval '30 days' as label_timestamp
from orders where returned is not null and invoice is not null and invoice_date is not null
order by event_timestamp, invoice
