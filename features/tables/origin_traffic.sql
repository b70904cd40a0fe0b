-- Traffic at an origin, every half hour: what departed, what was cancelled, what is overdue, what the timetable holds.
-- Known at the tick: departures up to it, cancellations from their scheduled departure on, the timetable.
-- Ticks end three hours before the timetable does: landing more data adds rows, and changes none.
-- All windows are (tick - length, tick]; sums are of integers, so that no thread count changes a digit.
with bounds as (
    select
        date_trunc('hour', min(scheduled_departure)) as first_tick,
        date_trunc('hour', max(scheduled_departure)) as last_tick
    from flights
),
grid as (
    select o.origin, t.tick
    from (select distinct origin from flights) as o
    cross join (select unnest(generate_series(first_tick, last_tick, interval '30 minutes')) as tick from bounds) as t
),
events as (
    select
        origin, departure as known_at, 1 as departed, departure_delay as delay,
        case when departure_delay >= 15 then 1 else 0 end as late,
        0 as cancelled, 0 as scheduled, 0 as overdue, 0 as overdue_since
    from flights
    where departure is not null
    union all
    select
        origin, scheduled_departure, 0, 0, 0,
        case when status = 'cancelled' then 1 else 0 end, 1, 0, 0
    from flights
    union all
    select
        origin, scheduled_departure, 0, 0, 0, 0, 0, 1,
        datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
    union all
    select
        origin, departure, 0, 0, 0, 0, 0, -1,
        -datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
),
ticked as (
    select
        origin,
        date_trunc('hour', known_at) + case
            when extract(minute from known_at) = 0 then interval '0 minutes'
            when extract(minute from known_at) <= 30 then interval '30 minutes'
            else interval '60 minutes'
        end as tick,
        departed, delay, late, cancelled, scheduled, overdue, overdue_since
    from events
),
sums as (
    select
        origin, tick, sum(departed) as departed, sum(delay) as delay, sum(late) as late, sum(cancelled) as cancelled,
        sum(scheduled) as scheduled, sum(overdue) as overdue, sum(overdue_since) as overdue_since
    from ticked
    group by origin, tick
),
filled as (
    select
        g.origin, g.tick,
        coalesce(s.departed, 0) as departed, coalesce(s.delay, 0) as delay, coalesce(s.late, 0) as late,
        coalesce(s.cancelled, 0) as cancelled, coalesce(s.scheduled, 0) as scheduled,
        coalesce(s.overdue, 0) as overdue, coalesce(s.overdue_since, 0) as overdue_since
    from grid as g
    left join sums as s on s.origin = g.origin and s.tick = g.tick
),
windows as (
    select
        origin, tick,
        sum(departed) over (partition by origin order by tick rows between 1 preceding and current row) as departed_1h,
        sum(delay) over (partition by origin order by tick rows between 1 preceding and current row) as delay_1h,
        sum(departed) over (partition by origin order by tick rows between 5 preceding and current row) as departed_3h,
        sum(delay) over (partition by origin order by tick rows between 5 preceding and current row) as delay_3h,
        sum(late) over (partition by origin order by tick rows between 5 preceding and current row) as late_3h,
        sum(departed) over (partition by origin order by tick rows between 11 preceding and current row) as departed_6h,
        sum(cancelled) over (partition by origin order by tick rows between 11 preceding and current row) as cancelled_6h,
        sum(scheduled) over (partition by origin order by tick rows between 11 preceding and current row) as scheduled_6h,
        sum(scheduled) over (partition by origin order by tick rows between 3 following and 6 following) as scheduled_ahead,
        sum(overdue) over (partition by origin order by tick rows between unbounded preceding and current row) as overdue,
        sum(overdue_since) over (partition by origin order by tick rows between unbounded preceding and current row)
            as overdue_since
    from filled
)
select
    origin,
    tick as event_timestamp,
    cast(departed_1h as bigint) as origin_departures_1h,  -- departures of the last hour [flights]
    cast(delay_1h as double) / nullif(departed_1h, 0) as origin_departure_delay_1h,  -- mean delay of the departures of the last hour [min]
    cast(departed_3h as bigint) as origin_departures_3h,  -- departures of the last 3 hours [flights]
    cast(delay_3h as double) / nullif(departed_3h, 0) as origin_departure_delay_3h,  -- mean delay of the departures of the last 3 hours [min]
    cast(late_3h as double) / nullif(departed_3h, 0) as origin_late_share_3h,  -- share of the departures of the last 3 hours late by 15 minutes or more [share]
    cast(cancelled_6h as bigint) as origin_cancelled_6h,  -- cancellations of the last 6 hours [flights]
    cast(scheduled_ahead as bigint) as origin_scheduled_ahead,  -- departures scheduled for the hours ahead [flights]
    cast(overdue as bigint) as origin_overdue,  -- flights that should have left and have not [flights]
    cast(overdue * datediff('minute', timestamptz '2000-01-01 00:00:00+00', tick) - overdue_since as bigint)
        as origin_overdue_minutes  -- how long those have been overdue, together [min]
from windows
where
    departed_6h + scheduled_6h + overdue + scheduled_ahead > 0
    and tick <= (select last_tick - interval '3 hours' from bounds)
order by origin, event_timestamp
