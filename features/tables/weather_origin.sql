-- Weather at an origin: each hourly reading, with what changed over the hours before. Known at its hour.
with readings as (
    select
        origin, observed_at, temp, dewp, humid, wind_speed, wind_gust, pressure, visib, wind_dir,
        cast(round(precip * 100) as bigint) as precip_hundredths
    from weather
),
windows as (
    select
        *,
        sum(precip_hundredths) over (
            partition by origin order by observed_at range between interval '5 hours' preceding and current row
        ) as precip_6h,
        min(visib) over (
            partition by origin order by observed_at range between interval '2 hours' preceding and current row
        ) as visibility_3h,
        max(wind_gust) over (
            partition by origin order by observed_at range between interval '2 hours' preceding and current row
        ) as gust_3h,
        max(pressure) over (
            partition by origin order by observed_at range between interval '3 hours' preceding and interval '3 hours' preceding
        ) as pressure_before
    from readings
)
select
    origin,
    observed_at as event_timestamp,
    temp as weather_temp,  -- air temperature [°F]
    temp - dewp as weather_dew_spread,  -- temperature above the dew point [°F]
    humid as weather_humidity,  -- relative humidity [%]
    wind_dir as weather_wind_direction,  -- where the wind comes from [degrees]
    wind_speed as weather_wind_speed,  -- mean wind [mph]
    gust_3h as weather_gust_3h,  -- strongest gust of the last 3 hours [mph]
    cast(precip_hundredths as double) / 100 as weather_precip_1h,  -- precipitation of the last hour [in]
    cast(precip_6h as double) / 100 as weather_precip_6h,  -- precipitation of the last 6 hours [in]
    visib as weather_visibility,  -- visibility [miles]
    visibility_3h as weather_visibility_3h,  -- least visibility of the last 3 hours [miles]
    pressure as weather_pressure,  -- pressure at sea level [hPa]
    pressure - pressure_before as weather_pressure_change_3h,  -- change of the pressure over 3 hours [hPa]
    cast(datediff('minute', timestamptz '2000-01-01 00:00:00+00', observed_at) as bigint) as weather_reading_minute  -- when the reading was made [min since 2000]
from windows
order by origin, event_timestamp
