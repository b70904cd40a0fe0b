"""Who is predicted, and what is known of them: features/tables/NAME.sql makes the table of the view NAME."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

about = Entity(name="invoice", join_keys=["invoice"], value_type=ValueType.INT64)


def view(name, **types):  # a row of its table holds until the next one of its entity
    source = FileSource(name=f"{name}_table", path=f"../build/tables/{name}.parquet", timestamp_field="event_timestamp")
    schema = [Field(name=feature, dtype=type_) for feature, type_ in types.items()]
    said = {"owner": "returns", "description": f"of {name}.sql", "ttl": timedelta(days=36_500)}
    return FeatureView(name=name, entities=[about], schema=schema, source=source, **said)


orders_profile_view = view("orders_profile",
    orders_country=String, orders_lines=Int64, orders_units=Int64, orders_amount=Float64, orders_weekday=Int64,
    orders_month=Int64, orders_hour=Int64)
history_view = view("history",
    orders_before_7d=Int64, orders_before_30d=Int64, orders_before_90d=Int64, orders_before_lines_sum_7d=Float64,
    orders_before_lines_sum_30d=Float64, orders_before_lines_sum_90d=Float64, orders_before_lines_mean_7d=Float64,
    orders_before_lines_mean_30d=Float64, orders_before_lines_mean_90d=Float64, orders_before_units_sum_7d=Float64,
    orders_before_units_sum_30d=Float64, orders_before_units_sum_90d=Float64, orders_before_units_mean_7d=Float64,
    orders_before_units_mean_30d=Float64, orders_before_units_mean_90d=Float64,
    orders_before_amount_sum_7d=Float64, orders_before_amount_sum_30d=Float64,
    orders_before_amount_sum_90d=Float64, orders_before_amount_mean_7d=Float64,
    orders_before_amount_mean_30d=Float64, orders_before_amount_mean_90d=Float64, orders_before_lines_last=Float64,
    orders_before_units_last=Float64, orders_before_amount_last=Float64, orders_before_country_last=String,
    orders_outcomes_7d=Int64, orders_outcomes_30d=Int64, orders_outcomes_90d=Int64, orders_outcomes_ever=Int64,
    orders_outcomes_returned_mean_7d=Float64, orders_outcomes_returned_mean_30d=Float64,
    orders_outcomes_returned_mean_90d=Float64, orders_outcomes_returned_mean_ever=Float64,
    orders_outcomes_returned_last=Float64, credit_notes_7d=Int64, credit_notes_30d=Int64, credit_notes_90d=Int64,
    credit_notes_units_sum_7d=Float64, credit_notes_units_sum_30d=Float64, credit_notes_units_sum_90d=Float64,
    credit_notes_units_mean_7d=Float64, credit_notes_units_mean_30d=Float64, credit_notes_units_mean_90d=Float64,
    credit_notes_price_sum_7d=Float64, credit_notes_price_sum_30d=Float64, credit_notes_price_sum_90d=Float64,
    credit_notes_price_mean_7d=Float64, credit_notes_price_mean_30d=Float64, credit_notes_price_mean_90d=Float64,
    credit_notes_units_last=Float64, credit_notes_price_last=Float64)
service = FeatureService(name="all", owner="returns", description="All that is known", features=[orders_profile_view, history_view],
    tags={"request_may_give": "orders_profile"})  # of a row that has not landed yet
