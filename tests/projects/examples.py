"""What the suite must know of each project: its names, and an edit of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edit:
    """Another text in a file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Example:
    """A project.

    Attributes:
        name: Of the project.
        problem: What its experiments predict.
        task: The problem's.
        service: What they are trained on.
        table: A feature table.
        best: The experiment that passes.
        other: The one that does not.
        edits: By kind.
        raw: A file of raw data.
        known: By raw table: when a row is known, as SQL, and the columns that a leak would be of; empty
            where there are no times.
        of: The folder of tests/projects or examples/, or `flights`, if it is not the name.
        experiments: Those that are kept of a project that has more.
        model: The file in conf/model of the best experiment, if it is not its name.
        deps: The edit by which compile depends on pipelines/, if it does not.
        wrong: How wrong a prediction is, of `rows`, in Python.
        space: A setting of the best experiment's model and the values that a search tries.
    """

    name: str
    problem: str
    task: str
    service: str
    table: str
    best: str
    other: str
    raw: str
    edits: dict[str, Edit] = field(default_factory=dict)
    known: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    of: str = ""
    experiments: dict[str, str] = field(default_factory=dict)
    model: str = ""
    deps: Edit | None = None
    wrong: str = ""
    space: str = "model.max_iter: {choices: [3, 9]}"

    @property
    def folder(self) -> str:
        """Where it is from."""
        return self.of or self.name

    @property
    def training_set(self) -> str:
        """The stage that builds it."""
        return f"training_set_{self.problem}_{self.service}"

    def what_runs(self, kind: str, rebuilt: set[str] | None = None) -> set[str]:
        """The table of what an edit makes necessary, and nothing else; `rebuilt`: tables of changed data."""
        judged = {f"evaluate@{self.best}", f"evaluate@{self.other}", "select"}
        trained = {f"train@{self.best}", f"train@{self.other}", *judged}
        built = {self.training_set, *trained}
        return {
            "comment": {"compile"},
            "option": {"compile"},
            "hyper-parameter": {"compile", f"train@{self.best}", f"evaluate@{self.best}", "select"},
            "experiment": {"compile", "train@another", "evaluate@another", "select"},
            "slices": {"compile", *judged},
            "block": {"compile", *judged},
            "split": {"compile", *trained},
            "spine": {"compile", *built},
            "table": {"compile", f"tables_{self.table}", *built},
            "ttl": {"compile", *built},
            "data": {"validate", *(rebuilt or ()), *built},
        }[kind]


PLAIN = Edit(
    "dvc.yaml", "      - features/tables\n", "      - features/tables\n      - pipelines\n"
)
INIT = Edit(
    "dvc.yaml", "features/spines, features/tables]", "features/spines, features/tables, pipelines]"
)
FLOWN = ("coalesce(arrival, departure, scheduled_arrival)", ("arrival_delay", "air_time"))
READ = ("observed_at", ("temp", "wind_speed", "visib"))
BOUGHT = {"transactions": ("transaction_timestamp", ("sales_value", "quantity"))}

EXAMPLES = (
    Example(
        name="segments",
        problem="kind",
        task="multiclass",
        service="measures",
        table="measures",
        best="boosted",
        other="prior",
        raw="data/regions.parquet",
        deps=PLAIN,
        wrong="1 - rows.frame['probability_sky'].where(rows.frame['label'] == 'sky', 1)",
        edits={
            "comment": Edit("conf/problem/kind.yaml", "task: multiclass", "task: multiclass   # seven classes"),
            "hyper-parameter": Edit("conf/model/boosted.yaml", "max_iter: 15", "max_iter: 12"),
            "slices": Edit("conf/problem/kind.yaml", "slices: [half]", "slices: []"),
            "block": Edit("conf/problem/kind.yaml", "block: region", "block: half"),
            "split": Edit("conf/problem/kind.yaml", "test: 0.2", "test: 0.3"),
            "spine": Edit("features/spines/kind.sql", "from regions", "from regions where region > 3"),
            "table": Edit("features/tables/measures.sql", "hue_mean as hue", "hue_mean + 1 as hue"),
            "ttl": Edit("features/definitions.py", "timedelta(days=36500)", "timedelta(days=3650)"),
        },
    ),
    Example(
        name="retail",
        problem="units",
        task="forecast",
        service="sales",
        table="country_days",
        best="boosted",
        other="middle",
        raw="data/days/2011-Q2.parquet",
        known={"days": ("day + interval '1 day'", ("units", "orders"))},
        deps=PLAIN,
        wrong="abs(rows.column('prediction') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/units.yaml", "season: 7d", "season: 7d    # a week"),
            "hyper-parameter": Edit("conf/model/boosted.yaml", "max_iter: 30", "max_iter: 25"),
            "slices": Edit("conf/problem/units.yaml", "slices: [country]", "slices: []"),
            "block": Edit("conf/problem/units.yaml", "block: week", "block: day"),
            "split": Edit("conf/problem/units.yaml", "test: 2", "test: 3"),
            "spine": Edit("features/spines/units.sql", "from days as known", "from (select * from days where units < 9999) as known"),
            "table": Edit("features/tables/country_days.sql", "rows between 27", "rows between 20"),
            "ttl": Edit("features/definitions.py", "timedelta(days=2)", "timedelta(days=3)"),
        },
    ),
    Example(
        name="late",
        of="flights",
        problem="late",
        task="binary",
        service="weather",
        table="weather_origin",
        best="gbm_weather",
        other="base_rate",
        experiments={
            "gbm_weather": "{problem: late, service: weather}",
            "base_rate": "{problem: late, service: weather, model: base_rate}",
        },
        model="gbm",
        raw="data/weather/2013-04.parquet",
        known={"flights": FLOWN, "weather": READ},
        wrong="abs(rows.column('probability') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/late.yaml", "task: binary", "task: binary   # or not"),
            "hyper-parameter": Edit("conf/model/gbm.yaml", "max_iter: 12", "max_iter: 11"),
            "slices": Edit("conf/problem/late.yaml", "slices: [origin, carrier,", "slices: [origin,"),
            "block": Edit("conf/problem/late.yaml", "block: day ", "block: week "),
            "split": Edit("conf/problem/late.yaml", "test: 2", "test: 1"),
            "spine": Edit("features/spines/late.sql", "as hour from flights)", "as hour from flights where distance > 80)"),
            "table": Edit("features/tables/weather_origin.sql", "temp as weather_temp", "temp + 1 as weather_temp"),
            "ttl": Edit("features/views.py", "ttl=timedelta(days=14)", "ttl=timedelta(days=13)"),
        },
    ),
    Example(
        name="delay",
        of="flights",
        problem="delay",
        task="regression",
        service="full",
        table="weather_origin",
        best="delay_gbm",
        other="delay_middle",
        experiments={
            "delay_gbm": "{problem: delay, service: full}",
            "delay_middle": "{problem: delay, service: full, model: base_value}",
        },
        model="gbm_regressor",
        raw="data/weather/2013-04.parquet",
        known={"flights": FLOWN, "weather": READ},
        wrong="abs(rows.column('prediction') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/delay.yaml", "task: regression", "task: regression   # minutes"),
            "hyper-parameter": Edit("conf/model/gbm_regressor.yaml", "max_iter: 12", "max_iter: 11"),
            "slices": Edit("conf/problem/delay.yaml", "slices: [origin, carrier,", "slices: [origin,"),
            "block": Edit("conf/problem/delay.yaml", "block: day", "block: week"),
            "split": Edit("conf/problem/delay.yaml", "test: 2", "test: 1"),
            "spine": Edit("features/spines/delay.sql", "where status = 'landed'", "where status = 'landed' and distance > 80"),
            "table": Edit("features/tables/weather_origin.sql", "temp as weather_temp", "temp + 1 as weather_temp"),
            "ttl": Edit("features/views.py", "ttl=timedelta(days=14)", "ttl=timedelta(days=13)"),
        },
    ),
    Example(
        name="redeemed",
        of="shop",
        problem="redeemed",
        task="binary",
        service="offer",
        table="campaign_match",
        best="redeemed_gbm",
        other="redeemed_rate",
        experiments={
            "redeemed_gbm": "{problem: redeemed, service: offer, model: gbm}",
            "redeemed_rate": "{problem: redeemed, service: offer, model: base_rate}",
        },
        model="gbm",
        raw="data/landed/coupons.parquet",
        known=BOUGHT,
        deps=INIT,
        wrong="abs(rows.column('probability') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/redeemed.yaml", "task: binary", "task: binary   # or not"),
            "hyper-parameter": Edit("conf/model/gbm.yaml", "max_iter: 8", "max_iter: 7"),
            "slices": Edit("conf/problem/redeemed.yaml", "slices: [campaign_type]", "slices: []"),
            "block": Edit("conf/problem/redeemed.yaml", "block: household_id", "block: day"),
            "split": Edit("conf/problem/redeemed.yaml", "test: 4", "test: 3"),
            "spine": Edit("features/spines/redeemed.sql", "timestamptz '2017-02-01", "timestamptz '2017-03-01"),
            "table": Edit("features/tables/campaign_match.sql", "coalesce(lines, 0) as", "coalesce(lines, 0) + 1 as"),
            "ttl": Edit("features/definitions.py", "        ttl=ttl,", "        ttl=ttl / 2,"),
        },
    ),
    Example(
        name="spend",
        of="shop",
        problem="spend",
        task="regression",
        service="habits",
        table="household_weeks",
        best="spend_gbm",
        other="spend_median",
        experiments={
            "spend_gbm": "{problem: spend, service: habits, model: gbm_regressor, calibration: conformal}",
            "spend_median": "{problem: spend, service: habits, model: base_value}",
        },
        model="gbm_regressor",
        raw="data/landed/transactions.parquet",
        known=BOUGHT,
        deps=INIT,
        wrong="abs(rows.column('prediction') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/spend.yaml", "task: regression", "task: regression   # dollars"),
            "hyper-parameter": Edit("conf/model/gbm_regressor.yaml", "max_iter: 8", "max_iter: 7"),
            "slices": Edit("conf/problem/spend.yaml", "interval: 0.9", "interval: 0.9\nslices: [kids_count]"),
            "block": Edit("conf/problem/spend.yaml", "block: household_id", "block: month"),
            "split": Edit("conf/problem/spend.yaml", "test: 3", "test: 2"),
            "spine": Edit("features/spines/spend.sql", "timestamptz '2017-02-01", "timestamptz '2017-03-01"),
            "table": Edit("features/tables/household_weeks.sql", "cast(sales as double) as sales_1w", "cast(sales + 1 as double) as sales_1w"),
            "ttl": Edit("features/definitions.py", "    timedelta(days=8),\n    sales_1w=Float64,\n    sales_4w", "    timedelta(days=9),\n    sales_1w=Float64,\n    sales_4w"),
        },
    ),
    Example(
        name="next_department",
        of="shop",
        problem="next_department",
        task="multiclass",
        service="habits",
        table="household_departments",
        best="next_gbm",
        other="next_prior",
        experiments={
            "next_gbm": "{problem: next_department, service: habits, model: gbm}",
            "next_prior": "{problem: next_department, service: habits, model: base_rate}",
        },
        model="gbm",
        raw="data/landed/transactions.parquet",
        known=BOUGHT,
        deps=INIT,
        wrong="1 - rows.frame['probability_GROCERY'].where(rows.frame['label'] == 'GROCERY', 1)",
        edits={
            "comment": Edit("conf/problem/next_department.yaml", "task: multiclass", "task: multiclass   # seven"),
            "hyper-parameter": Edit("conf/model/gbm.yaml", "max_iter: 8", "max_iter: 7"),
            "slices": Edit("conf/problem/next_department.yaml", "block: household_id", "block: household_id\nslices: [kids_count]"),
            "block": Edit("conf/problem/next_department.yaml", "block: household_id", "block: month"),
            "split": Edit("conf/problem/next_department.yaml", "test: 3", "test: 2"),
            "spine": Edit("features/spines/next_department.sql", "timestamptz '2017-02-06", "timestamptz '2017-03-06"),
            "table": Edit("features/tables/household_departments.sql", "sum(deli) over quarter", "2 * sum(deli) over quarter"),
            "ttl": Edit("features/definitions.py", "    timedelta(days=8),\n    grocery_share", "    timedelta(days=9),\n    grocery_share"),
        },
    ),
    Example(
        name="department_sales",
        of="shop",
        problem="department_sales",
        task="forecast",
        service="trade",
        table="department_weeks",
        best="sales_linear",
        other="sales_middle",
        experiments={
            "sales_linear": "{problem: department_sales, service: trade}",
            "sales_middle": "{problem: department_sales, service: trade, model: base_value}",
        },
        model="ridge",
        raw="data/landed/transactions.parquet",
        known=BOUGHT,
        deps=INIT,
        wrong="abs(rows.column('prediction') - rows.column('label'))",
        space="model.alpha: {choices: [3, 9]}",
        edits={
            "comment": Edit("conf/problem/department_sales.yaml", "task: forecast", "task: forecast   # dollars"),
            "hyper-parameter": Edit("conf/model/ridge.yaml", "alpha: 10.0", "alpha: 20.0"),
            "slices": Edit("conf/problem/department_sales.yaml", "slices: [department]", "slices: []"),
            "block": Edit("conf/problem/department_sales.yaml", "block: week", "block: month"),
            "split": Edit("conf/problem/department_sales.yaml", "test: 3", "test: 2"),
            "spine": Edit("features/spines/department_sales.sql", "timestamptz '2017-01-09", "timestamptz '2017-01-16"),
            "table": Edit("features/tables/department_weeks.sql", "rows 11 preceding", "rows 10 preceding"),
            "ttl": Edit("features/definitions.py", "    timedelta(days=8),\n    sales_1w=Float64,\n    sales_2w", "    timedelta(days=9),\n    sales_1w=Float64,\n    sales_2w"),
        },
    ),
    Example(
        name="returned",
        of="returns",
        problem="returned",
        task="binary",
        service="all",
        table="orders_profile",
        best="boosting",
        other="baseline",
        experiments={
            "boosting": "{problem: returned, service: all, model: gbm}",
            "baseline": "{problem: returned, service: all, model: base_rate}",
        },
        model="gbm",
        raw="data/landed/credit_notes.parquet",
        known={"credit_notes": ("credited_at", ("units", "price"))},
        deps=INIT,
        wrong="abs(rows.column('probability') - rows.column('label'))",
        edits={
            "comment": Edit("conf/problem/returned.yaml", "task: binary", "task: binary   # or not"),
            "hyper-parameter": Edit("conf/model/gbm.yaml", "max_iter: 8", "max_iter: 7"),
            "slices": Edit("conf/problem/returned.yaml", "positive: true", "positive: true\nslices: [month]"),
            "block": Edit("conf/problem/returned.yaml", "block: day ", "block: week "),
            "split": Edit("conf/problem/returned.yaml", "test: 3", "test: 2"),
            "spine": Edit("features/spines/returned.sql", "where returned is", "where lines < 999 and returned is"),
            "table": Edit("features/tables/orders_profile.sql", "cast(month(invoice_date)", "cast(1 + month(invoice_date)"),
            "ttl": Edit("features/definitions.py", "timedelta(days=36_500)", "timedelta(days=3_650)"),
        },
    ),
)  # fmt: skip
