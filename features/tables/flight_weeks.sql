-- A flight number's last four weeks, a row each time that one of its flights has come to its end.
-- Known then: arrivals, cancellations from their scheduled departure on, diversions from the scheduled arrival on (or from
-- the departure, where that is later).
with results as (
    select
        carrier, flight, origin,
        case
            when status = 'landed' then arrival
            when status = 'cancelled' then scheduled_departure
            else greatest(scheduled_arrival, departure)
        end as known_at,
        case when status <> 'landed' or arrival_delay >= 15 then 1 else 0 end as late,
        case when status = 'landed' then 1 else 0 end as landed,
        coalesce(arrival_delay, 0) as arrival_delay,
        datediff('minute', scheduled_departure, scheduled_arrival) as block
    from flights
),
sums as (
    select
        carrier, flight, origin, known_at, count(*) as flown, sum(late) as late, sum(landed) as landed,
        sum(arrival_delay) as arrival_delay, sum(block) as block
    from results
    group by carrier, flight, origin, known_at
),
windows as (
    select
        carrier, flight, origin, known_at,
        sum(flown) over w as flown, sum(late) over w as late, sum(landed) over w as landed,
        sum(arrival_delay) over w as arrival_delay, sum(block) over w as block
    from sums
    window w as (
        partition by carrier, flight, origin order by known_at range between interval '28 days' preceding and current row
    )
)
select
    carrier,
    flight,
    origin,
    known_at as event_timestamp,
    cast(flown as bigint) as flight_runs_28d,  -- how often the flight ran in the last 28 days [flights]
    cast(late as double) / flown as flight_late_share_28d,  -- share of them late by 15 minutes or more [share]
    cast(arrival_delay as double) / nullif(landed, 0) as flight_arrival_delay_28d,  -- mean delay of their arrivals [min]
    cast(block as double) / flown as flight_block_minutes  -- mean of their scheduled minutes under way [min]
from windows
order by carrier, flight, origin, event_timestamp
