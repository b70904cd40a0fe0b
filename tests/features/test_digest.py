"""A digest changes with the meaning of a definition, and with nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.features.build import compile_manifest
from furrow.features.schema import Manifest

Edit = Callable[[Path, str, str], None]


SAME = {
    "sql comment": ("tables/traffic.sql", "SELECT\n    origin", "SELECT -- the airport\n    /* of departure */ origin"),
    "sql white space": ("tables/traffic.sql", "WHERE departure IS NOT NULL AND", "WHERE   departure\n\n IS NOT NULL\tAND"),
    "sql keyword case": ("tables/traffic.sql", "PARTITION BY origin ORDER BY", "partition by origin Order by"),
    "sql function case": ("tables/traffic.sql", "count(*)", "COUNT(*)"),
    "sql semicolon": ("tables/traffic.sql", "ORDER BY origin, event_timestamp\n", "ORDER BY origin, event_timestamp;\n"),
    "python comment": ("views.py", "traffic = FeatureView(", "# How busy it is.\ntraffic = FeatureView("),
    "python layout": ("views.py", 'entities=[origin],\n    ttl=timedelta(hours=6)', "entities=[origin], ttl=timedelta(minutes=360)"),
    "keyword order": ("views.py", 'name="traffic",\n    entities=[origin]', 'entities=[origin],\n    name="traffic"'),
    "owner": ("views.py", 'tags={"domain": "traffic"}', 'tags={"domain": "air", "tier": "1"}'),
    "description": ("views.py", "Departures of the last hours", "How many left in the last hours"),
    "docstring": ("on_demand.py", "How full the airport is.", "How full it is."),
    "code comment": ("on_demand.py", "# Minutes that count as late.", "# The official limit, in minutes."),
    "annotations": ("on_demand.py", "def clip(value, top=100.0):", "def clip(value: float, top: float = 100.0) -> float:"),
    "code layout": ("on_demand.py", "return min(value, top)", "return min(\n        value,\n        top,\n    )"),
    "unused constant": ("on_demand.py", "UNUSED = 3", "UNUSED = 4"),
    "unused function": ("on_demand.py", "    return UNUSED", "    return -UNUSED"),
    "order in the file": ("on_demand.py", "import math\n", "import math\nimport json\n"),
    "online store": ("feature_store.yaml", "path: ../build/online", "path: ../build/elsewhere"),
    "yaml comment": ("feature_store.yaml", "provider: local", "# Where it runs.\nprovider: local"),
    "project": ("feature_store.yaml", "project: small", "project: tiny"),
    "service description": ("services.py", '"Everything"', '"All there is"'),
}  # fmt: skip

OTHER = {
    "sql constant": ("tables/traffic.sql", "INTERVAL 3 HOURS", "INTERVAL 4 HOURS", "t:traffic v:traffic o s:full"),
    "sql text": ("tables/traffic.sql", "'cancelled'", "'Cancelled'", "t:traffic v:traffic o s:full"),
    "sql operator": ("tables/carrier_day.sql", ">= 15", "> 15", "t:carrier_day v:carrier_day s:basic s:full"),
    "sql column": ("tables/carrier_day.sql", "avg((d.arrival", "max((d.arrival", "t:carrier_day v:carrier_day s:basic s:full"),
    "sql type": ("tables/carrier_day.sql", "DOUBLE", "FLOAT", "t:carrier_day v:carrier_day s:basic s:full"),
    "sql join": ("tables/carrier_day.sql", "JOIN", "LEFT JOIN", "t:carrier_day v:carrier_day s:basic s:full"),
    "ttl": ("views.py", "hours=6", "hours=3", "v:traffic o s:full"),
    "no ttl": ("views.py", "ttl=timedelta(days=2),", "ttl=None,", "v:carrier_day s:basic s:full"),
    "dtype": ("views.py", 'name="departures", dtype=Int64', 'name="departures", dtype=Float64', "v:traffic o s:full"),
    "feature name": ("views.py", 'name="departures"', 'name="departed"', "v:traffic o s:full"),
    "feature order": (
        "views.py",
        'Field(name="departures", dtype=Int64),\n        Field(name="mean_delay", dtype=Float64)',
        'Field(name="mean_delay", dtype=Float64),\n        Field(name="departures", dtype=Int64)',
        "v:traffic o s:full",
    ),
    "join key": ("entities.py", 'join_keys=["carrier"]', 'join_keys=["airline"]', "v:carrier_day s:basic s:full"),
    "key type": (
        "entities.py",
        'join_keys=["carrier"], value_type=ValueType.STRING',
        'join_keys=["carrier"], value_type=ValueType.INT64',
        "v:carrier_day s:basic s:full",
    ),
    "timestamp field": (
        "views.py",
        'carrier_day.parquet", timestamp_field="event_timestamp"',
        'carrier_day.parquet", timestamp_field="known_at"',
        "v:carrier_day s:basic s:full",
    ),
    "created timestamp": (
        "views.py",
        'carrier_day.parquet",',
        'carrier_day.parquet", created_timestamp_column="created",',
        "v:carrier_day s:basic s:full",
    ),
    "field mapping": (
        "views.py",
        'carrier_day.parquet",',
        'carrier_day.parquet", field_mapping={"late": "carrier_late"},',
        "v:carrier_day s:basic s:full",
    ),
    "source": ("views.py", "tables/carrier_day.parquet", "tables/other.parquet", "v:carrier_day s:basic s:full"),
    "constant": ("on_demand.py", "LATE = 15", "LATE = 16", "o s:full"),
    "constant in a mapping": ("on_demand.py", "(7, 19)", "(7, 20)", "o s:full"),
    "changed constant": ("on_demand.py", "UNUSED = 3", 'UNUSED = 3\nHOURS["rush"] = (8, 19)', "o s:full"),
    "updated constant": ("on_demand.py", "UNUSED = 3", "UNUSED = 3\nHOURS.update(rush=(8, 19))", "o s:full"),
    "helper": ("on_demand.py", "return min(value, top)", "return max(value, top)", "o s:full"),
    "default": ("on_demand.py", "top=100.0", "top=99.0", "o s:full"),
    "function": ("on_demand.py", "else 1)", "else 3)", "o s:full"),
    "import": ("on_demand.py", "import math", "import cmath as math", "o s:full"),
    "request type": ("computed.py", 'name="hour", dtype=Int64', 'name="hour", dtype=Float64', "o s:full"),
    "output type": ("computed.py", 'name="pressure", dtype=Float64', 'name="pressure", dtype=Int64', "o s:full"),
    "projection": ("services.py", 'traffic[["mean_delay"]]', "traffic", "s:full"),
    "alias": ("services.py", "[carrier_day, traffic", '[carrier_day.with_name("day"), traffic', "s:full"),
    "join key map": (
        "services.py",
        "[carrier_day, traffic",
        '[carrier_day.with_join_key_map({"carrier": "partner"}), traffic',
        "s:full",
    ),
    "order of views": (
        "services.py",
        'carrier_day, traffic[["mean_delay"]]',
        'traffic[["mean_delay"]], carrier_day',
        "s:full",
    ),
}  # fmt: skip


def digests(manifest: Manifest) -> dict[str, str]:
    found = {f"t:{name}": table.sql_digest for name, table in manifest.tables.items()}
    found |= {f"v:{name}": view.digest for name, view in manifest.views.items()}
    found |= dict.fromkeys(["o"], manifest.on_demand["airport_pressure"].digest)
    return found | {f"s:{name}": service.digest for name, service in manifest.services.items()}


@pytest.mark.parametrize("name", SAME)
def test_an_edit_that_changes_no_meaning_changes_no_digest(
    small: Path, edit: Edit, name: str
) -> None:
    """Comments, white space, order of keywords, docstrings, owners, what is not used: all digests stay."""
    before = compile_manifest(small / "features")
    file, old, new = SAME[name]
    edit(small / "features" / file, old, new)
    after = compile_manifest(small / "features")
    assert digests(after) == digests(before)
    assert after.digest == before.digest


@pytest.mark.parametrize("name", OTHER)
def test_an_edit_that_changes_a_meaning_changes_exactly_what_stands_on_it(
    small: Path, edit: Edit, name: str
) -> None:
    """A change shows in its own digest and in all that use it, and nowhere else."""
    before = compile_manifest(small / "features")
    file, old, new, changed = OTHER[name]
    edit(small / "features" / file, old, new)
    after = compile_manifest(small / "features")
    one, two = digests(before), digests(after)
    assert {key for key in one if one[key] != two[key]} == set(changed.split())
    assert after.digest != before.digest


def test_the_order_of_join_keys_does_not_count(small: Path, edit: Edit) -> None:
    """A view keyed by (origin, carrier) is the view keyed by (carrier, origin)."""
    views = small / "features" / "views.py"
    edit(views, "entities=[origin]", "entities=[origin, carrier]")
    before = compile_manifest(small / "features")
    edit(views, "entities=[origin, carrier]", "entities=[carrier, origin]")
    assert digests(compile_manifest(small / "features")) == digests(before)


def test_a_table_that_reads_another_table_changes_with_it(small: Path, edit: Edit) -> None:
    """The digest of a feature table covers the feature tables that it reads."""
    tables = small / "features" / "tables"
    (tables / "busy.sql").write_text(
        "SELECT origin, event_timestamp, departures > 9 AS busy FROM traffic\n"
    )
    before = compile_manifest(small / "features")
    edit(tables / "traffic.sql", "INTERVAL 3 HOURS", "INTERVAL 4 HOURS")
    after = compile_manifest(small / "features")
    assert after.tables["busy"].sql_digest != before.tables["busy"].sql_digest
    assert after.tables["busy"].reads == ("traffic",)


CONTRACT = """\
tables:
  flights:
    columns:
      origin: string
      carrier: string
      departure: timestamp
      arrival: timestamp
      departure_delay: int32
      arrival_delay: int32
      status: string
      tailnum: string
"""


def test_the_declared_type_of_a_raw_column_that_the_sql_reads_counts(
    small: Path, edit: Edit
) -> None:
    """The source's schema is part of the digest, as far as the SQL reads it."""
    contract = small / "conf" / "data" / "contract.yaml"
    contract.parent.mkdir()
    contract.write_text(CONTRACT)
    before = digests(compile_manifest(small / "features"))
    edit(contract, "tailnum: string", "tailnum: int64")
    assert digests(compile_manifest(small / "features")) == before
    edit(contract, "      departure_delay: int32", "      # minutes\n      departure_delay: int64")
    after = digests(compile_manifest(small / "features"))
    assert {key for key in before if before[key] != after[key]} == {
        "t:traffic",
        "v:traffic",
        "o",
        "s:full",
    }


SCRIPT = """\
import json, sys
from pathlib import Path
from furrow.features.build import compile_manifest
print(json.dumps([compile_manifest(Path(folder)).to_json() for folder in sys.argv[1:]]))
"""


def test_folder_hash_seed_and_process_do_not_count(small: Path, tmp_path: Path) -> None:
    """Two clones in different folders, in processes with different hash seeds, compile the same bytes."""
    (small / "features" / "on_demand.py").write_text(
        (small / "features" / "on_demand.py")
        .read_text()
        .replace("LATE = 15", 'LATE = len({"a", "b", "c"})')
    )
    other = tmp_path / "somewhere" / "else entirely"
    shutil.copytree(small, other)
    here = compile_manifest(small / "features").to_json()
    for seed, folder in (("0", small), ("4711", other)):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, "features", str(folder / "features")],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout) == [here, here]


def test_a_service_by_another_name_has_the_same_digest(small: Path, edit: Edit) -> None:
    """What a service serves has the digest, not what it is called."""
    before = compile_manifest(small / "features")
    edit(small / "features" / "services.py", 'name="basic"', 'name="plain"')
    assert (
        compile_manifest(small / "features").services["plain"].digest
        == before.services["basic"].digest
    )


def test_a_file_s_name_does_not_count(small: Path) -> None:
    """Definitions may move from one file to another."""
    before = compile_manifest(small / "features")
    (small / "features" / "services.py").rename(small / "features" / "what_models_take.py")
    assert compile_manifest(small / "features") == before


def test_a_revert_brings_every_digest_back(small: Path, edit: Edit) -> None:
    """Digests depend on the text alone, not on what was there before."""
    before = compile_manifest(small / "features")
    edit(small / "features" / "views.py", "hours=6", "hours=3")
    compile_manifest(small / "features")
    edit(small / "features" / "views.py", "hours=3", "hours=6")
    assert compile_manifest(small / "features") == before
