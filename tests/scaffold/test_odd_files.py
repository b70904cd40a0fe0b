"""Files as other people write them: each ends in a project whose SQL runs, or in one sentence that says how to mend it."""

from __future__ import annotations

import codecs
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from furrow.data.contract import load_contract
from furrow.errors import FurrowError
from furrow.ground.tables import RawFiles, run_sql
from furrow.parse import parse_yaml
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import InitPlan, look, plan_init

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

ROWS = 150


def people(rows: int = ROWS) -> list[dict[str, Any]]:
    """Customers that signed up in the course of ten months; whether they left hangs on their plan, among other things."""
    draw = random.Random(5)
    begin = datetime(2023, 1, 1, 8, tzinfo=UTC)
    found = []
    for number in range(rows):
        plan = draw.choice(["basic", "plus", "pro"])
        left = draw.random() < {"basic": 0.6, "plus": 0.4, "pro": 0.2}[plan]
        at = begin + timedelta(days=300 * number / rows, minutes=number)
        found.append(
            {"id": f"{number:05d}", "at": f"{at:%Y-%m-%d %H:%M}", "plan": plan, "spent": round(draw.gauss(50, 9), 2), "left": "yes" if left else "no"}
        )  # fmt: skip
    return found


def csv(rows: list[dict[str, Any]], delimiter: str = ",", head: str = "") -> str:
    lines = [head or delimiter.join(rows[0])]
    return "\n".join([*lines, *(delimiter.join(map(str, row.values())) for row in rows)]) + "\n"


def planned(folder: Path, files: dict[str, str | bytes], **asked: str) -> InitPlan:
    """Plan a project from files, and run what it would run: the contract, the spine, each feature table."""
    given, project = folder / "given", folder / "project"
    for name, content in files.items():
        given.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes(content.encode() if isinstance(content, str) else content)
    project.mkdir(exist_ok=True)
    looked = look([str(given)], project / "data/landed")
    plan = plan_init(project, looked, Asked(**{"predict": "left", **asked}), now=datetime.now(UTC))
    for path, text in plan.texts.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    tables = load_contract(project / "conf/data/contract.yaml").tables
    assert {name: set(table.columns) for name, table in tables.items()} == {
        name: set(table.columns) for name, table in looked.tables.items()
    }
    compile(plan.texts["features/definitions.py"], "definitions.py", "exec")
    return plan


def run(folder: Path, plan: InitPlan, name: str) -> pa.Table:
    """The rows of a spine or a feature table."""
    project = folder / "project"
    raw = RawFiles(project / "data", {one.name: [one.path] for one in plan.landed})
    return run_sql(
        (project / "features" / f"{name}.sql").read_text(encoding="utf-8"),
        raw,
        sql_file=project / name,
    )


def whole(folder: Path, plan: InitPlan) -> pa.Table:
    """The spine, after every feature table was built: none has two rows of one entity and moment."""
    for one in plan.features:
        rows = run(folder, plan, f"tables/{one.name}").to_pandas()
        assert set(one.features) <= set(rows.columns)
        assert not rows.duplicated([plan.answers.entity, "event_timestamp"]).any()
    spine = run(folder, plan, f"spines/{plan.answers.name}")
    assert not spine.to_pandas().duplicated([plan.answers.entity, "event_timestamp"]).any()
    return spine


def test_plain(tmp_path: Path) -> None:
    """One table: the label, the key and the moment are found, and ids keep their zeros."""
    plan = planned(tmp_path, {"people.csv": csv(people())}, known_after="10d")
    answers = plan.answers
    assert (answers.task, answers.entity, answers.at, answers.by, answers.positive) == (
        "binary",
        "id",
        "at",
        "month",
        "true",
    )
    spine = whole(tmp_path, plan)
    assert spine.num_rows == ROWS
    assert spine["id"][0].as_py() == "00000"
    assert set(plan.features[0].features) == {
        "people_plan",
        "people_spent",
        "people_weekday",
        "people_month",
        "people_hour",
    }


def text(change: Any = None, **options: Any) -> str:
    rows = people()
    for number, row in enumerate(rows):
        if change is not None:
            change(number, row)
    return csv(rows, **options)


def german(_: int, row: dict[str, Any]) -> None:
    row["spent"] = (
        f"1.{abs(row['spent']):06.2f}".replace(".", "_").replace("_", ".", 1).replace("_", ",")
    )
    row["plan"] = {"basic": "klein", "plus": "größer", "pro": "groß"}[row["plan"]]


def quoted(number: int, row: dict[str, Any]) -> None:
    row["plan"] = ['"a, b"', '"say ""yes"""', '"two\nlines"'][number % 3]


def dates(number: int, row: dict[str, Any]) -> None:
    moment = datetime.fromisoformat(row["at"])
    row["at"] = [f"{moment:%Y-%m-%d %H:%M}", f"{moment:%d.%m.%Y %H:%M}"][number % 2]


def zones(number: int, row: dict[str, Any]) -> None:
    row["at"] += ["+02:00", "Z"][number % 2]


GOOD: dict[str, str | bytes] = {
    "a BOM": codecs.BOM_UTF8 + text().encode(),
    "UTF-16": text().encode("utf-16"),
    "another encoding, decimal commas": text(german, delimiter=";").encode("latin-1"),
    "tabs": text(delimiter="\t"),
    "two headers": text(head="id,at,plan,spent,left\nid,at,plan,spent,left"),
    "a title above": f"Customers of the year\n\n{text()}",
    "ragged rows": text() + "00999,2023-05-05 10:00,pro\n",
    "commas, quotes and line ends": text(quoted),
    "mixed dates": text(dates),
    "two zones": text(zones),
    "carriage returns": text().replace("\n", "\r\n"),
    "no end of line": text().rstrip("\n"),
    "a line of units": text(head="id,at,plan,spent,left\n,UTC,,EUR,"),
    "a header above the header": text(head="who,who,what,what,what\nid,at,plan,spent,left"),
    "a title as wide as the table": f"Customers of the year,,,,\n{text()}",
    "a line of totals": text() + "Total,,,15000,\n",
    "counted rows": "\n".join(
        f"{n - 1 if n else ''},{line}" for n, line in enumerate(text().splitlines())
    ),
    "backslashes before quotes": text(lambda _, row: row.update(plan='"a \\"b\\" c"')),
    "a byte that is no UTF-8": text(lambda n, row: row.update(plan=["größe", "süß"][n % 2]))
    .encode()
    .replace(b"gr\xc3\xb6", b"gr\xf6", 1),
    "seconds since 1970": text(
        lambda _, row: row.update(
            at=int(datetime.fromisoformat(row["at"]).replace(tzinfo=UTC).timestamp())
        )
    ),
    "dollars and thousands": text(
        lambda _, row: row.update(spent=f'"${row["spent"] * 1000:,.2f}"')
    ),
    "a comma at each end": "".join(f"{line},\n" for line in text().splitlines()),
}


@pytest.mark.parametrize("kind", GOOD)
def test_ways_to_write_a_file(tmp_path: Path, kind: str) -> None:
    """However it is written, it is the same project."""
    plan = planned(tmp_path, {"people.csv": GOOD[kind]})
    spine = whole(tmp_path, plan)
    assert spine.num_rows == ROWS
    assert plan.answers.entity == "id"
    assert sorted(set(spine["left"].to_pylist())) == [False, True]
    assert plan.answers.at == "at"
    assert plan.features[0].features["people_spent"] == "Float64"
    assert set(plan.features[0].features) >= {"people_plan", "people_spent"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("a title as wide as the table", "a title (Customers of the year) above the header is left out"),
        ("a header above the header", "a header (who, who, what, what) above the header is left out"),
        ("two headers", "a second header is left out: id, at, plan, spent"),
        ("a title above", "1 line before the header is left out"),
    ],
)  # fmt: skip
def test_what_stands_above_the_rows_is_told(tmp_path: Path, kind: str, said: str) -> None:
    """In its own words, without the cells that say nothing."""
    plan = planned(tmp_path, {"people.csv": GOOD[kind]})
    assert [note for note in plan.notes if note.endswith(said)]


NAMES = {
    "words of SQL": "select,from,group,order,left",
    "not ASCII": "größe,när,план,価格,left",
    "spaces and signs": "Customer #,Signed-Up At,Plan (now),Spent €,Left",
    "reserved": "id,event_timestamp,period,label_timestamp,left",
    "words of Python and YAML": "class,at,no,import,left",
    "twice": "id,at,x,x,left",
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_columns(tmp_path: Path, kind: str) -> None:
    """Names that are words of a language, or of none."""
    plan = planned(
        tmp_path,
        {"people.csv": text(head=NAMES[kind])},
        predict="Left" if "Left" in NAMES[kind] else "left",
    )
    assert whole(tmp_path, plan).num_rows == ROWS
    assert len(plan.features[0].features) >= 4
    problem = parse_yaml(plan.texts[f"conf/problem/{plan.answers.name}.yaml"], "problem")
    assert problem["label"] == "left"
    assert problem["entity"] == [plan.answers.entity]


def test_a_label_of_odd_name(tmp_path: Path) -> None:
    """The problem is called by plain letters, its column as it is."""
    plan = planned(
        tmp_path, {"people.csv": text(head="id,at,plan,spent,Führt Größe?")}, predict="Führt Größe?"
    )
    assert (
        plan.answers.name == "fuhrt_große".replace("ß", "e").replace("oee", "oe")
        or plan.answers.name.isascii()
    )
    assert whole(tmp_path, plan).num_rows == ROWS


@pytest.mark.long
def test_a_thousand_columns(tmp_path: Path) -> None:
    """All of them become features, and their SQL runs."""
    rows = people()
    for number, row in enumerate(rows):
        row |= {f"m{place}": (number * place) % 97 for place in range(1000)}
    plan = planned(tmp_path, {"people.csv": csv(rows)})
    assert len(plan.features[0].features) > 990
    assert whole(tmp_path, plan).num_rows == ROWS


def test_no_moments(tmp_path: Path) -> None:
    """A random split, and it is said that nothing tells what was known before."""
    rows = [{key: value for key, value in row.items() if key != "at"} for row in people()]
    plan = planned(tmp_path, {"people.csv": csv(rows)})
    assert (plan.answers.at, plan.answers.by) == ("", "random")
    assert any("no moment" in note for note in plan.notes)
    assert whole(tmp_path, plan).num_rows == ROWS


def test_written_after_the_label(tmp_path: Path) -> None:
    """What stands there for one label only, what came later, and what repeats the label: named, and left out."""

    def add(number: int, row: dict[str, Any]) -> None:
        moment = datetime.fromisoformat(row["at"]) + timedelta(days=20)
        row["reason"] = "price" if row["left"] == "yes" else ""
        row["closed"] = f"{moment:%Y-%m-%d %H:%M}"
        row["score"] = (100 if row["left"] == "yes" else 0) + number % 7

    plan = planned(
        tmp_path, {"people.csv": text(add, head="id,at,plan,spent,left,reason,closed,score")}
    )
    for name in ("reason", "closed", "score"):
        assert any(note.startswith(f"people.{name} is left out") for note in plan.notes), name
        assert not any(name in feature for feature in plan.features[0].features)
    assert plan.answers.known_after == "21d"
    assert whole(tmp_path, plan).num_rows == ROWS


def test_yes_and_no_are_numbers(tmp_path: Path) -> None:
    """A column of yes and no, with gaps, is 1 and 0 for models."""

    def add(number: int, row: dict[str, Any]) -> None:
        row["vip"] = ["yes", "no", ""][number % 3]

    plan = planned(tmp_path, {"people.csv": text(add, head="id,at,plan,spent,left,vip")})
    assert plan.features[0].features["people_vip"] == "Int64"
    rows = run(tmp_path, plan, "tables/people_profile")
    assert set(rows["people_vip"].to_pylist()) == {1, 0, None}


def test_honest_columns_stay(tmp_path: Path) -> None:
    """A column that says much, and not all, is no leak."""

    def add(number: int, row: dict[str, Any]) -> None:
        row["hint"] = "a" if (row["left"] == "yes") == (number % 10 != 0) else "b"

    plan = planned(tmp_path, {"people.csv": text(add, head="id,at,plan,spent,left,hint")})
    assert "people_hint" in plan.features[0].features


def test_times_in_the_future(tmp_path: Path) -> None:
    """A few of them are mistakes: left out, and told."""

    def add(number: int, row: dict[str, Any]) -> None:
        row["at"] = (
            f"{datetime.now(UTC) + timedelta(days=9000):%Y-%m-%d %H:%M}"
            if number == 7
            else row["at"]
        )

    plan = planned(tmp_path, {"people.csv": text(add)})
    assert any("1 row of people in the future" in note for note in plan.notes)
    assert whole(tmp_path, plan).num_rows == ROWS - 1


def test_a_key_that_repeats(tmp_path: Path) -> None:
    """The first row of each entity and moment is kept, in the spine and among the features, and told."""
    plan = planned(tmp_path, {"people.csv": csv([*people(), *people()[:9]])}, about="id")
    assert plan.answers.repeated == 9
    assert any("comes again" in note for note in plan.notes)
    assert whole(tmp_path, plan).num_rows == ROWS


def test_unlabelled_rows(tmp_path: Path) -> None:
    """They are left out, and counted."""

    def add(number: int, row: dict[str, Any]) -> None:
        row["left"] = "" if number % 5 == 0 else row["left"]

    plan = planned(tmp_path, {"people.csv": text(add)})
    assert any("30 rows of people without left" in note for note in plan.notes)
    assert whole(tmp_path, plan).num_rows == ROWS - 30


BAD = {
    "no rows": ({"people.csv": "id,at,plan,spent,left\n"}, {}, "has no rows"),
    "nothing at all": ({"people.csv": ""}, {}, "empty"),
    "no text": ({"people.csv": bytes(range(256)) * 40}, {}, ""),
    "one label": (
        {"people.csv": text(lambda _, row: row.update(left="no"))},
        {},
        "is 'no' in every row",
    ),
    "yes or nothing": (
        {"people.csv": text(lambda _, row: row.update(left="yes" if row["left"] == "yes" else ""))},
        {},
        "rows hold nothing, and unlabelled is not negative",
    ),
    "no such column": ({"people.csv": text()}, {"predict": "lefd"}, "did you mean 'left'?"),
    "a moment to predict": ({"people.csv": text()}, {"predict": "at"}, "is a moment"),
    "text to predict": ({"people.csv": text()}, {"predict": "id"}, "different values"),
    "no such entity": ({"people.csv": text()}, {"about": "household"}, "no column for 'household'"),
    "no such moment": ({"people.csv": text()}, {"at": "att"}, "did you mean 'at'?"),
    "no moment": ({"people.csv": text()}, {"at": "plan"}, "not a moment"),
    "no span": ({"people.csv": text()}, {"known_after": "soon"}, "is not a span"),
    "no period": ({"people.csv": text()}, {"test": "3 moons"}, "is no test period"),
    "no task": ({"people.csv": text()}, {"task": "ranking"}, "ranking"),
    "too few": ({"people.csv": csv(people(12))}, {}, "too few to learn from"),
    "two labels": (
        {"people.csv": text(), "more.csv": text()},
        {},
        "several tables have a column 'left'",
    ),
    "ragged throughout": (
        {"people.csv": "\n".join(",".join("x" * (1 + n % 9)) for n in range(99))},
        {},
        "",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_can_not_be_a_project(tmp_path: Path, kind: str) -> None:
    """One sentence says what is wrong, and a second one what to do."""
    files, asked, said = BAD[kind]
    with pytest.raises(FurrowError) as caught:
        planned(tmp_path, files, **asked)
    assert said in str(caught.value)
    assert caught.value.hint
    assert not (tmp_path / "project/dvc.yaml").exists()
