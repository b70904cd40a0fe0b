-- Every flight, two hours before it is to leave: did it land 15 minutes late or more, or not at all?
select
    carrier, flight, origin, dest, tailnum, scheduled_departure, distance,
    scheduled_departure - interval '2 hours' as event_timestamp,
    case
        when hour < 5 or hour >= 21 then 'night'
        when hour < 9 then 'early morning'
        when hour < 13 then 'late morning'
        when hour < 17 then 'afternoon'
        else 'evening'
    end as time_of_day,
    cast(case when status <> 'landed' or arrival_delay >= 15 then 1 else 0 end as tinyint) as late,
    scheduled_arrival + interval '15 minutes' as label_timestamp
from (select *, extract(hour from timezone('America/New_York', scheduled_departure)) as hour from flights)
order by event_timestamp, carrier, flight, origin
