"""Land the data: each becomes data/landed/NAME.parquet, typed as conf/data/contract.yaml says."""

from furrow.stages.land import land_project

land_project({
    "credit_notes": ["given/credit_notes.csv"],
    "orders": ["given/orders.csv"],
})
