-- A route's last four weeks, every midnight UTC: how its flights ended, and what the timetable says about it.
-- Known at the tick: arrivals up to it, cancellations from their scheduled departure on, diversions from the scheduled
-- arrival on (or from the departure, where that is later). Ticks end with the timetable: landing more data adds rows, and changes none.
with results as (
    select
        origin, dest,
        case
            when status = 'landed' then arrival
            when status = 'cancelled' then scheduled_departure
            else greatest(scheduled_arrival, departure)
        end as known_at,
        case when status <> 'landed' or arrival_delay >= 15 then 1 else 0 end as late,
        case when status = 'landed' then 1 else 0 end as landed,
        coalesce(arrival_delay, 0) as arrival_delay,
        case when status = 'landed' then air_time else 0 end as air_time,
        datediff('minute', scheduled_departure, scheduled_arrival) as block,
        distance
    from flights
),
bounds as (
    select
        date_trunc('day', min(scheduled_departure)) as first_tick,
        date_trunc('day', max(scheduled_departure)) as last_tick
    from flights
),
sums as (
    select
        origin, dest,
        date_trunc('day', known_at) + case when known_at = date_trunc('day', known_at) then interval '0 days' else interval '1 day' end
            as tick,
        count(*) as flown, sum(late) as late, sum(landed) as landed, sum(arrival_delay) as arrival_delay,
        sum(block) as block, sum(distance) as distance
    from results
    group by
        origin, dest,
        date_trunc('day', known_at) + case when known_at = date_trunc('day', known_at) then interval '0 days' else interval '1 day' end
),
grid as (
    select r.origin, r.dest, t.tick
    from (select distinct origin, dest from results) as r
    cross join (select unnest(generate_series(first_tick, last_tick, interval '1 day')) as tick from bounds) as t
),
windows as (
    select
        g.origin, g.dest, g.tick,
        sum(coalesce(s.flown, 0)) over w as flown,
        sum(coalesce(s.late, 0)) over w as late,
        sum(coalesce(s.landed, 0)) over w as landed,
        sum(coalesce(s.arrival_delay, 0)) over w as arrival_delay,
        sum(coalesce(s.block, 0)) over w as block,
        sum(coalesce(s.distance, 0)) over w as distance
    from grid as g
    left join sums as s on s.origin = g.origin and s.dest = g.dest and s.tick = g.tick
    window w as (partition by g.origin, g.dest order by g.tick rows between 27 preceding and current row)
)
select
    origin,
    dest,
    tick as event_timestamp,
    cast(flown as bigint) as route_flights_28d,  -- flights of the last 28 days [flights]
    cast(late as double) / nullif(flown, 0) as route_late_share_28d,  -- share of them late by 15 minutes or more [share]
    cast(arrival_delay as double) / nullif(landed, 0) as route_arrival_delay_28d,  -- mean delay of their arrivals [min]
    cast(block as double) / nullif(flown, 0) as route_block_minutes,  -- mean of their scheduled minutes under way [min]
    cast(distance as double) / nullif(flown, 0) as route_distance  -- distance [miles]
from windows
where flown > 0
order by origin, dest, event_timestamp
