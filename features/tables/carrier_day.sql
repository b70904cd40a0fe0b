-- A carrier's last day, every hour: arrivals and cancellations of the last 24 hours, departures of the last three, what is overdue.
-- Known at the tick: departures and arrivals up to it, cancellations from their scheduled departure on.
-- Ticks end with the timetable: landing more data adds rows, and changes none.
with bounds as (
    select
        date_trunc('hour', min(scheduled_departure)) as first_tick,
        date_trunc('hour', max(scheduled_departure)) as last_tick
    from flights
),
grid as (
    select c.carrier, t.tick
    from (select distinct carrier from flights) as c
    cross join (select unnest(generate_series(first_tick, last_tick, interval '1 hour')) as tick from bounds) as t
),
events as (
    select
        carrier, departure as known_at, 1 as departed, departure_delay as departure_delay, 0 as arrived, 0 as arrival_delay,
        0 as late, 0 as cancelled, 0 as overdue, 0 as overdue_since
    from flights
    where departure is not null
    union all
    select
        carrier, arrival, 0, 0, 1, arrival_delay, case when arrival_delay >= 15 then 1 else 0 end, 0, 0, 0
    from flights
    where arrival is not null
    union all
    select carrier, scheduled_departure, 0, 0, 0, 0, 0, 1, 0, 0
    from flights
    where status = 'cancelled'
    union all
    select
        carrier, scheduled_departure, 0, 0, 0, 0, 0, 0, 1,
        datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
    union all
    select
        carrier, departure, 0, 0, 0, 0, 0, 0, -1,
        -datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_departure)
    from flights
    where departure > scheduled_departure
),
ticked as (
    select
        carrier,
        date_trunc('hour', known_at) + case when extract(minute from known_at) = 0 then interval '0 hours' else interval '1 hour' end
            as tick,
        departed, departure_delay, arrived, arrival_delay, late, cancelled, overdue, overdue_since
    from events
),
sums as (
    select
        carrier, tick, sum(departed) as departed, sum(departure_delay) as departure_delay, sum(arrived) as arrived,
        sum(arrival_delay) as arrival_delay, sum(late) as late, sum(cancelled) as cancelled, sum(overdue) as overdue,
        sum(overdue_since) as overdue_since
    from ticked
    group by carrier, tick
),
filled as (
    select
        g.carrier, g.tick,
        coalesce(s.departed, 0) as departed, coalesce(s.departure_delay, 0) as departure_delay,
        coalesce(s.arrived, 0) as arrived, coalesce(s.arrival_delay, 0) as arrival_delay, coalesce(s.late, 0) as late,
        coalesce(s.cancelled, 0) as cancelled, coalesce(s.overdue, 0) as overdue,
        coalesce(s.overdue_since, 0) as overdue_since
    from grid as g
    left join sums as s on s.carrier = g.carrier and s.tick = g.tick
),
windows as (
    select
        carrier, tick,
        sum(departed) over (partition by carrier order by tick rows between 2 preceding and current row) as departed_3h,
        sum(departure_delay) over (partition by carrier order by tick rows between 2 preceding and current row)
            as departure_delay_3h,
        sum(arrived) over (partition by carrier order by tick rows between 23 preceding and current row) as arrived_24h,
        sum(arrival_delay) over (partition by carrier order by tick rows between 23 preceding and current row)
            as arrival_delay_24h,
        sum(late) over (partition by carrier order by tick rows between 23 preceding and current row) as late_24h,
        sum(cancelled) over (partition by carrier order by tick rows between 23 preceding and current row)
            as cancelled_24h,
        sum(overdue) over (partition by carrier order by tick rows between unbounded preceding and current row) as overdue,
        sum(overdue_since) over (partition by carrier order by tick rows between unbounded preceding and current row)
            as overdue_since
    from filled
)
select
    carrier,
    tick as event_timestamp,
    cast(departed_3h as bigint) as carrier_departures_3h,  -- departures of the last 3 hours [flights]
    cast(departure_delay_3h as double) / nullif(departed_3h, 0) as carrier_departure_delay_3h,  -- mean delay of the departures of the last 3 hours [min]
    cast(arrived_24h as bigint) as carrier_arrivals_24h,  -- arrivals of the last 24 hours [flights]
    cast(arrival_delay_24h as double) / nullif(arrived_24h, 0) as carrier_arrival_delay_24h,  -- mean delay of the arrivals of the last 24 hours [min]
    cast(late_24h + cancelled_24h as double) / nullif(arrived_24h + cancelled_24h, 0) as carrier_late_share_24h,  -- share of arrivals late by 15 minutes or more, or cancelled, of the last 24 hours [share]
    cast(cancelled_24h as bigint) as carrier_cancelled_24h,  -- cancellations of the last 24 hours [flights]
    cast(overdue as bigint) as carrier_overdue,  -- flights that should have left and have not [flights]
    cast(overdue * datediff('minute', timestamptz '2000-01-01 00:00:00+00', tick) - overdue_since as bigint)
        as carrier_overdue_minutes  -- how long those have been overdue, together [min]
from windows
where departed_3h + arrived_24h + cancelled_24h + overdue > 0
order by carrier, event_timestamp
