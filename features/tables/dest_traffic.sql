-- Traffic to a destination, every hour: arrivals there, departures towards it, flights cancelled, diverted or overdue.
-- Known at the tick: departures and arrivals up to it, cancellations from their scheduled departure on, diversions from the
-- scheduled arrival on (or from the departure, where that is later).
-- Ticks end with the timetable: landing more data adds rows, and changes none.
with bounds as (
    select
        date_trunc('hour', min(scheduled_departure)) as first_tick,
        date_trunc('hour', max(scheduled_departure)) as last_tick
    from flights
),
grid as (
    select d.dest, t.tick
    from (select distinct dest from flights) as d
    cross join (select unnest(generate_series(first_tick, last_tick, interval '1 hour')) as tick from bounds) as t
),
events as (
    select
        dest, departure as known_at, 1 as departed, departure_delay, 0 as arrived, 0 as arrival_delay, 0 as late,
        0 as lost, 0 as overdue
    from flights
    where departure is not null
    union all
    select dest, arrival, 0, 0, 1, arrival_delay, case when arrival_delay >= 15 then 1 else 0 end, 0, 0
    from flights
    where arrival is not null
    union all
    select
        dest, case when status = 'cancelled' then scheduled_departure else greatest(scheduled_arrival, departure) end,
        0, 0, 0, 0, 0, 1, 0
    from flights
    where status <> 'landed'
    union all
    -- A flight is overdue until it arrives. One that leaves after its scheduled arrival and is diverted is overdue until it
    -- leaves: not to count it would tell of the diversion.
    select dest, scheduled_arrival, 0, 0, 0, 0, 0, 0, 1
    from flights
    where coalesce(arrival, departure) > scheduled_arrival
    union all
    select dest, coalesce(arrival, departure), 0, 0, 0, 0, 0, 0, -1
    from flights
    where coalesce(arrival, departure) > scheduled_arrival
),
ticked as (
    select
        dest,
        date_trunc('hour', known_at) + case when extract(minute from known_at) = 0 then interval '0 hours' else interval '1 hour' end
            as tick,
        departed, departure_delay, arrived, arrival_delay, late, lost, overdue
    from events
),
sums as (
    select
        dest, tick, sum(departed) as departed, sum(departure_delay) as departure_delay, sum(arrived) as arrived,
        sum(arrival_delay) as arrival_delay, sum(late) as late, sum(lost) as lost, sum(overdue) as overdue
    from ticked
    group by dest, tick
),
filled as (
    select
        g.dest, g.tick,
        coalesce(s.departed, 0) as departed, coalesce(s.departure_delay, 0) as departure_delay,
        coalesce(s.arrived, 0) as arrived, coalesce(s.arrival_delay, 0) as arrival_delay, coalesce(s.late, 0) as late,
        coalesce(s.lost, 0) as lost, coalesce(s.overdue, 0) as overdue
    from grid as g
    left join sums as s on s.dest = g.dest and s.tick = g.tick
),
windows as (
    select
        dest, tick,
        sum(departed) over (partition by dest order by tick rows between 2 preceding and current row) as departed_3h,
        sum(departure_delay) over (partition by dest order by tick rows between 2 preceding and current row)
            as departure_delay_3h,
        sum(arrived) over (partition by dest order by tick rows between 5 preceding and current row) as arrived_6h,
        sum(arrival_delay) over (partition by dest order by tick rows between 5 preceding and current row)
            as arrival_delay_6h,
        sum(late) over (partition by dest order by tick rows between 5 preceding and current row) as late_6h,
        sum(lost) over (partition by dest order by tick rows between 5 preceding and current row) as lost_6h,
        sum(overdue) over (partition by dest order by tick rows between unbounded preceding and current row) as overdue
    from filled
)
select
    dest,
    tick as event_timestamp,
    cast(departure_delay_3h as double) / nullif(departed_3h, 0) as dest_departure_delay_3h,  -- mean delay of departures towards it, of the last 3 hours [min]
    cast(arrived_6h as bigint) as dest_arrivals_6h,  -- arrivals of the last 6 hours [flights]
    cast(arrival_delay_6h as double) / nullif(arrived_6h, 0) as dest_arrival_delay_6h,  -- mean delay of the arrivals of the last 6 hours [min]
    cast(late_6h + lost_6h as double) / nullif(arrived_6h + lost_6h, 0) as dest_late_share_6h,  -- share of flights late by 15 minutes or more, cancelled or diverted, of the last 6 hours [share]
    cast(lost_6h as bigint) as dest_lost_6h,  -- flights cancelled or diverted, of the last 6 hours [flights]
    cast(overdue as bigint) as dest_overdue  -- flights towards it that should have left and have not [flights]
from windows
where departed_3h + arrived_6h + lost_6h + overdue > 0
order by dest, event_timestamp
