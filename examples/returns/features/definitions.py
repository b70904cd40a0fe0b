"""Who is predicted, and what is known of them: features/tables/NAME.sql is the view NAME."""

from feast import Entity, FeatureService, ValueType
from furrow.ground.feast.table_views import table_view, windows

about = Entity(name="invoice", join_keys=["invoice"], value_type=ValueType.INT64)
orders_profile_view = table_view("orders_profile", about, owner="returns", of="orders",
    String="country", Int64="lines units weekday month hour", Float64="amount")
history_view = table_view("history", about, owner="returns", String="orders_before_country_last",
    happened=windows("orders_before", "lines units amount")
    | windows("orders_outcomes", "returned", spans="7d 30d 90d ever", figures="mean")
    | windows("credit_notes", "units price"))
service = FeatureService(name="all", owner="returns", description="All that is known",
    features=[orders_profile_view, history_view],
    tags={"request_may_give": "orders_profile"})  # of a row that has not landed yet
