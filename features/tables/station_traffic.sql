-- A carrier's traffic at one origin, every hour: its own departures, cancellations and what it has overdue there.
-- Known at the tick: departures up to it, cancellations from their scheduled departure on.
-- Ticks end with the timetable: landing more data adds rows, and changes none.
with bounds as (
    select
        date_trunc('hour', min(scheduled_departure)) as first_tick,
        date_trunc('hour', max(scheduled_departure)) as last_tick
    from flights
),
grid as (
    select s.carrier, s.origin, t.tick
    from (select distinct carrier, origin from flights) as s
    cross join (select unnest(generate_series(first_tick, last_tick, interval '1 hour')) as tick from bounds) as t
),
events as (
    select
        carrier, origin, departure as known_at, 1 as departed, departure_delay as delay,
        case when departure_delay >= 15 then 1 else 0 end as late, 0 as cancelled, 0 as overdue, 0 as overdue_since
    from flights
    where departure is not null
    union all
    select carrier, origin, scheduled_departure, 0, 0, 0, 1, 0, 0
    from flights
    where status = 'cancelled'
    union all
    select
        carrier, origin, scheduled_departure, 0, 0, 0, 0, 1,
        datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
    union all
    select
        carrier, origin, departure, 0, 0, 0, 0, -1,
        -datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
),
ticked as (
    select
        carrier, origin,
        date_trunc('hour', known_at) + case when extract(minute from known_at) = 0 then interval '0 hours' else interval '1 hour' end
            as tick,
        departed, delay, late, cancelled, overdue, overdue_since
    from events
),
sums as (
    select
        carrier, origin, tick, sum(departed) as departed, sum(delay) as delay, sum(late) as late,
        sum(cancelled) as cancelled, sum(overdue) as overdue, sum(overdue_since) as overdue_since
    from ticked
    group by carrier, origin, tick
),
filled as (
    select
        g.carrier, g.origin, g.tick,
        coalesce(s.departed, 0) as departed, coalesce(s.delay, 0) as delay, coalesce(s.late, 0) as late,
        coalesce(s.cancelled, 0) as cancelled, coalesce(s.overdue, 0) as overdue,
        coalesce(s.overdue_since, 0) as overdue_since
    from grid as g
    left join sums as s on s.carrier = g.carrier and s.origin = g.origin and s.tick = g.tick
),
windows as (
    select
        carrier, origin, tick,
        sum(departed) over (partition by carrier, origin order by tick rows between 5 preceding and current row)
            as departed_6h,
        sum(delay) over (partition by carrier, origin order by tick rows between 5 preceding and current row) as delay_6h,
        sum(late) over (partition by carrier, origin order by tick rows between 5 preceding and current row) as late_6h,
        sum(cancelled) over (partition by carrier, origin order by tick rows between 5 preceding and current row)
            as cancelled_6h,
        sum(overdue) over (
            partition by carrier, origin order by tick rows between unbounded preceding and current row
        ) as overdue,
        sum(overdue_since) over (
            partition by carrier, origin order by tick rows between unbounded preceding and current row
        ) as overdue_since
    from filled
)
select
    carrier,
    origin,
    tick as event_timestamp,
    cast(departed_6h as bigint) as station_departures_6h,  -- departures of the last 6 hours [flights]
    cast(delay_6h as double) / nullif(departed_6h, 0) as station_departure_delay_6h,  -- mean delay of the departures of the last 6 hours [min]
    cast(late_6h as double) / nullif(departed_6h, 0) as station_late_share_6h,  -- share of the departures of the last 6 hours late by 15 minutes or more [share]
    cast(cancelled_6h as bigint) as station_cancelled_6h,  -- cancellations of the last 6 hours [flights]
    cast(overdue * datediff('minute', timestamptz '2000-01-01 00:00:00+00', tick) - overdue_since as bigint)
        as station_overdue_minutes  -- how long flights have been overdue, together [min]
from windows
where departed_6h + cancelled_6h + overdue > 0
order by carrier, origin, event_timestamp
