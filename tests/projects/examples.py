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
        name: Of its folder.
        problem: What its experiments predict.
        task: The problem's.
        service: What they are trained on.
        table: A feature table.
        best: The experiment that passes.
        other: The one that does not.
        edits: By kind.
        raw: A file of raw data.
        known: When a row of the raw data is known, as SQL; empty where there are no times.
        facts: The raw columns that a leak would be of.
        wrong: How wrong a prediction is, of `rows`, in Python.
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
    known: str = ""
    facts: tuple[str, ...] = ()
    wrong: str = ""

    @property
    def training_set(self) -> str:
        """The stage that builds it."""
        return f"training_set_{self.problem}_{self.service}"

    def what_runs(self, kind: str) -> set[str]:
        """The table of what an edit makes necessary, and nothing else."""
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
            "data": {"validate", f"tables_{self.table}", *built},
        }[kind]


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
        known="day + interval '1 day'",
        facts=("units", "orders"),
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
)  # fmt: skip
