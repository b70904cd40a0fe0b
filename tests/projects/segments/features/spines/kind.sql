-- Every region, and what it shows.
select region, noted as event_timestamp, case when centroid_row < 120 then 'upper' else 'lower' end as half, category as kind
from regions
order by region
