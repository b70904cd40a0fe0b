-- What is measured of each region of a photograph.
select
    region,
    noted as event_timestamp,
    vedge_mean as vedge,
    hedge_mean as hedge,
    intensity_mean as intensity,
    exred_mean as red,
    exblue_mean as blue,
    saturation_mean as saturation,
    hue_mean as hue
from regions
order by region, event_timestamp
