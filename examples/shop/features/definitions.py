"""Households, campaigns and departments, and what is known of them; features/tables/NAME.sql makes the view NAME."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

ABOUT = {"owner": "shop@example.com", "tags": {"domain": "shop"}}
YEARS = timedelta(days=3650)

household = Entity(
    name="household", join_keys=["household_id"], value_type=ValueType.INT64, **ABOUT
)
campaign = Entity(name="campaign", join_keys=["campaign_id"], value_type=ValueType.INT64, **ABOUT)
department = Entity(
    name="department", join_keys=["department"], value_type=ValueType.STRING, **ABOUT
)


def view(name, description, entities, ttl, **types):
    """A view of the table that is called as it is."""
    source = FileSource(
        name=f"{name}_table",
        path=f"../build/tables/{name}.parquet",
        timestamp_field="event_timestamp",
    )
    return FeatureView(
        name=name,
        description=description,
        entities=entities,
        ttl=ttl,
        schema=[Field(name=feature, dtype=type_) for feature, type_ in types.items()],
        source=source,
        **ABOUT,
    )


household_weeks = view(
    "household_weeks",
    "Sales, baskets, discounts and coupons of the last 1, 4 and 12 weeks, of the last Monday.",
    [household],
    timedelta(days=8),
    sales_1w=Float64,
    sales_4w=Float64,
    sales_12w=Float64,
    baskets_1w=Int64,
    baskets_4w=Int64,
    baskets_12w=Int64,
    discount_12w=Float64,
    coupons_12w=Float64,
    days_since_basket=Float64,
    weeks_known=Int64,
)
household_departments = view(
    "household_departments",
    "The share of a household's baskets of 12 weeks in which a department came first, and the last such department.",
    [household],
    timedelta(days=8),
    grocery_share=Float64,
    drug_share=Float64,
    fuel_share=Float64,
    produce_share=Float64,
    meat_share=Float64,
    deli_share=Float64,
    last_department=String,
)
household_coupons = view(
    "household_coupons",
    "Campaigns that a household was sent, and coupons that it redeemed, so far.",
    [household],
    YEARS,
    campaigns_sent=Int64,
    coupons_redeemed=Int64,
    redeemed_per_campaign=Float64,
)
household_survey = view(
    "household_survey",
    "What a third of the households said of themselves.",
    [household],
    YEARS,
    age=String,
    income=String,
    home_ownership=String,
    marital_status=String,
    household_size=String,
    household_comp=String,
    kids_count=String,
)
campaign_facts = view(
    "campaign_facts",
    "A campaign's kind, length, coupons and the products that they are for.",
    [campaign],
    YEARS,
    campaign_kind=String,
    campaign_days=Int64,
    campaign_coupons=Int64,
    campaign_products=Int64,
)
campaign_match = view(
    "campaign_match",
    "What a household bought of a campaign's products in the 12 weeks before it.",
    [household, campaign],
    YEARS,
    match_lines=Int64,
    match_products=Int64,
    match_sales=Float64,
)
department_weeks = view(
    "department_weeks",
    "A department's sales of the weeks before, and whether a month begins in a week to come.",
    [department],
    timedelta(days=8),
    sales_1w=Float64,
    sales_2w=Float64,
    sales_3w=Float64,
    sales_4w=Float64,
    sales_mean_4w=Float64,
    sales_mean_12w=Float64,
    month_begins_1w=Int64,
    month_begins_4w=Int64,
)


def service(name, description, *views):
    """What a problem is predicted from."""
    return FeatureService(name=name, features=list(views), description=description, **ABOUT)


offer = service(
    "offer",
    "A household and a campaign.",
    household_weeks,
    household_coupons,
    household_survey,
    campaign_facts,
    campaign_match,
)
habits = service(
    "habits",
    "A household.",
    household_weeks,
    household_departments,
    household_coupons,
    household_survey,
)
trade = service("trade", "A department.", department_weeks)
