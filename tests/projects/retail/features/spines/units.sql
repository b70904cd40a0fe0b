-- Each country, when a day is over: how many units tomorrow, and on the same weekday of next week?
select
    known.country,
    known.day + interval '1 day' as event_timestamp,
    steps.horizon,
    ahead.units as units_sold,
    ahead.day + interval '1 day' as label_timestamp
from days as known
cross join (values (1), (7)) as steps (horizon)
join days as ahead on ahead.country = known.country and ahead.day = known.day + steps.horizon * interval '1 day'
order by event_timestamp, country, horizon
