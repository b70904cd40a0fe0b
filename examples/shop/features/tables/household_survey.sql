-- What a third of the households said of themselves; the data do not say when, so it is taken as known from the start.
select
    household_id,
    timestamptz '2017-01-01 05:00:00+00' as event_timestamp,
    age, income, home_ownership, marital_status, household_size, household_comp, kids_count
from demographics
order by household_id, event_timestamp
