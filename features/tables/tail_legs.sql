-- An aircraft's legs out of New York, a row each time that something about it becomes known.
-- A leg tells at its departure, its arrival, its cancellation (at its scheduled departure), its diversion (at its scheduled
-- arrival, or at the departure where that is later), and when it is still at the gate 30, 60 and 120 minutes after schedule.
-- The row is about the leg with the latest schedule of which something is known; sums are over (at - 24 hours, at].
with events as (
    select
        tailnum, departure as known_at, scheduled_departure, scheduled_arrival, departure_delay as delay,
        cast(null as integer) as arrival_delay, 'air' as state, 1 as departed, 0 as arrived, 0 as late
    from flights
    where tailnum is not null and departure is not null
    union all
    select
        tailnum, arrival, scheduled_departure, scheduled_arrival, departure_delay, arrival_delay, 'down', 0, 1,
        case when arrival_delay >= 15 then 1 else 0 end
    from flights
    where tailnum is not null and arrival is not null
    union all
    select
        tailnum, case when status = 'cancelled' then scheduled_departure else greatest(scheduled_arrival, departure) end,
        scheduled_departure, scheduled_arrival, departure_delay, null, 'lost', 0, 0, 1
    from flights
    where tailnum is not null and status <> 'landed'
    union all
    select
        f.tailnum, f.scheduled_departure + interval '1 minute' * w.waited, f.scheduled_departure, f.scheduled_arrival,
        w.waited, null, 'gate', 0, 0, 0
    from flights as f
    cross join (select 30 as waited union all select 60 union all select 120) as w
    where f.tailnum is not null and f.departure_delay > w.waited
),
known as (
    select
        *,
        max(scheduled_departure) over (
            partition by tailnum order by known_at range between unbounded preceding and current row
        ) as leg
    from events
),
sums as (
    select
        tailnum, known_at, scheduled_departure, leg, scheduled_arrival, delay, arrival_delay, state,
        sum(departed) over w as departed_24h,
        sum(arrived) over w as arrived_24h,
        sum(coalesce(arrival_delay, 0)) over w as arrival_delay_24h,
        sum(late) over w as late_24h
    from known
    window w as (
        partition by tailnum order by known_at range between interval '1439 minutes' preceding and current row
    )
),
ranked as (
    select
        *,
        row_number() over (
            partition by tailnum, known_at
            order by
                scheduled_departure desc,
                case state when 'down' then 0 when 'lost' then 1 when 'air' then 2 else 3 end,
                scheduled_arrival desc, delay desc, arrival_delay desc
        ) as place
    from sums
    where scheduled_departure = leg
)
select
    tailnum,
    known_at as event_timestamp,
    cast(delay as bigint) as tail_departure_delay,  -- delay of the last leg at departure [min]
    cast(arrival_delay as bigint) as tail_arrival_delay,  -- delay of the last leg at arrival [min]
    cast(case when state = 'air' then 1 else 0 end as bigint) as tail_in_air,  -- whether the last leg is under way [0 or 1]
    cast(case when state = 'lost' then 1 else 0 end as bigint) as tail_lost,  -- whether the last leg was cancelled or diverted [0 or 1]
    cast(datediff('minute', scheduled_departure, scheduled_arrival) as bigint) as tail_block_minutes,  -- scheduled minutes of the last leg under way [min]
    cast(datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_arrival) as bigint) as tail_due_minute,  -- when the last leg was to arrive [min since 2000]
    cast(
        datediff('minute', timestamptz '2000-01-01 00:00:00+00', scheduled_arrival) + coalesce(arrival_delay, delay, 0)
        as bigint
    ) as tail_ready_minute,  -- when it arrives, as late as is known [min since 2000]
    cast(datediff('minute', timestamptz '2000-01-01 00:00:00+00', known_at) as bigint) as tail_event_minute,  -- when the aircraft was last heard of [min since 2000]
    cast(departed_24h as bigint) as tail_legs_24h,  -- legs of the last 24 hours [flights]
    cast(arrival_delay_24h as double) / nullif(arrived_24h, 0) as tail_arrival_delay_24h,  -- mean delay of their arrivals [min]
    cast(late_24h as bigint) as tail_late_24h  -- how many of them were late by 15 minutes or more [flights]
from ranked
where place = 1
order by tailnum, event_timestamp
