-- Every flight that landed where it was to: how many minutes after the timetable?
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
    cast(arrival_delay as double) as arrival_delay,
    arrival as label_timestamp
from (select *, extract(hour from timezone('America/New_York', scheduled_departure)) as hour from flights)
where status = 'landed'
order by event_timestamp, carrier, flight, origin
