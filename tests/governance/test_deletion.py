"""A request to be forgotten: every content that holds a key is found, in history too; gc removes what nothing needs, and no more."""

import hashlib
import io
import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.cli import audit as audit_cli
from furrow.cli import gc as gc_cli
from furrow.errors import FurrowError
from furrow.files import write_text
from furrow.governance.audit import Audit
from furrow.governance.audit_page import audit_json
from furrow.governance.deletion import deletion_request
from furrow.governance.fsck import fsck
from furrow.governance.garbage import collect, contents_of_request, find_garbage
from furrow.governance.kept_contents import KeptError, kept_commits, named_contents
from furrow.governance.key_places import in_git_texts
from furrow.governance.key_search import AskedKeyError, find_key, parse_key
from furrow.governance.needed_contents import needed_contents
from furrow.ground.runcache import store
from furrow.serving.log_counts import commits_of
from furrow.serving.log_search import records_about, same_value
from tests.proof.signingpeople import SHA256, commit, run
from tests.servingworld import build_features

NOW = datetime(2024, 6, 1, tzinfo=UTC)
OLD = time.time() - 100 * 86_400


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def table(**columns: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table(columns), made)
    return made.getvalue()


def keep(root: Path, files: dict[str, bytes]) -> str:
    """A folder in DVC's cache; its name."""
    for content in files.values():
        store(root, md5(content), content)
    entries = [{"md5": md5(one), "relpath": name} for name, one in sorted(files.items())]
    listing = json.dumps(entries).encode()
    store(root, f"{md5(listing)}.dir", listing)
    return f"{md5(listing)}.dir"


def record(root: Path, orders: list[int], sets: dict[str, list[int]]) -> str:
    """A commit whose data, features and training set hold these customers."""
    data = keep(root, {"orders/2024.parquet": table(customer=pa.array(orders), amount=orders)})
    (root / "data.dvc").write_text(f"outs:\n- md5: {data}\n  path: data\n  hash: md5\n")
    lines = ["schema: '2.0'", "stages:", "  all:", "    cmd: x", "    deps:", "    - path: conf"]
    lines += [f"      md5: {'0' * 32}.dir", "    outs:"]
    for path, held in sets.items():
        content = table(customer=[f"{one}" for one in held], spent=held)
        store(root, md5(content), content)
        lines += [f"    - path: {path}", f"      md5: {md5(content)}", "      hash: md5"]
    (root / "dvc.lock").write_text("\n".join(lines) + "\n")
    return commit(root, f"{orders}")


TABLES, TRAINING = "build/tables/orders.parquet", "build/training/churned/full.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of the data: customer 42 came with the second, which is registered and served, and left with the third."""
    root = tmp_path_factory.mktemp("built") / "project"
    (root / "runs/gbm").mkdir(parents=True)
    (root / "conf/deployment").mkdir(parents=True)
    run(root, "git", "init", "-q", "-b", "main")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n"
    )
    (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n")
    (root / ".gitignore").write_text("/build\n/.furrow\n/data\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    said = {"problem": "churned", "service": "full", "model_sha256": SHA256}
    (root / "runs/gbm/record.json").write_text(json.dumps(said))
    record(root, [1, 2], {TABLES: [1, 2], TRAINING: [1, 2]})
    record(root, [1, 2, 42, 42], {TABLES: [1, 2, 42], TRAINING: [1, 42]})
    message = "Register\n\n" + json.dumps({"model_sha256": SHA256})
    run(root, "git", "tag", "-a", "-m", message, "gbm@v1.0.0")
    (root / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
    record(root, [1, 2, 3], {TABLES: [1, 2, 3], TRAINING: [1, 2]})
    sealed = root / ".furrow/serving/production/log/sealed/2024-03-05T00/s"
    sealed.mkdir(parents=True)
    served = run(root, "git", "rev-parse", "HEAD~2").strip()
    logged = pa.table(
        {
            "version": ["gbm@v1.0.0"] * 3,
            "commit": [served] * 3,
            "keys": [{"customer": 42}, {"customer": 1}, {"customer": None}],
            "request": [{"country": "NL"}] * 3,
        }
    )
    pq.write_table(logged, sealed / "gbm.parquet")
    for path in (root / ".dvc/cache").rglob("*"):
        if path.is_file():
            os.utime(path, (OLD, OLD))
    shutil.copytree(root / ".dvc/cache", root.parent / "remote")
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built.parent, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy/project"


def test_every_place_that_holds_a_key_is_found(built: Path) -> None:
    """Numbers and text alike; the version that is served, though HEAD has the customer no more."""
    made = deletion_request(built, ["customer=42"], now=NOW)
    told = made.sections
    assert [(one["path"], one["rows"]) for one in told["data versions"]] == [
        ("data/orders/2024.parquet", 2)
    ]
    assert [one["rows"] for one in (*told["features"], *told["training sets"])] == [1, 1]
    (model,) = told["models"]
    assert (model["model"], model["version"]) == ("gbm", "gbm@v1.0.0")
    (logged,) = told["prediction logs"]
    assert (logged["records"], logged["version"]) == (1, "gbm@v1.0.0")
    said = "\n".join(told["plan"])
    for words in (
        "data/orders/2024.parquet",
        "dvc repro",
        "to production",
        "gbm@v1.0.0",
        "furrow gc",
    ):
        assert words in said
    assert "1 commit recorded can't be replayed" in told["what that makes invalid"][0]
    assert any("copies elsewhere" in one for one in made.unknown)


def test_the_remote_s_objects_are_named(built: Path) -> None:
    """Each content that is found here and that the remote has, too; a remote elsewhere is not known."""
    told = deletion_request(built, ["customer=42"], now=NOW)
    tables = ("data versions", "features", "training sets")
    asked = {one["content"] for name in tables for one in told.sections[name]}
    assert {one["object"] for one in told.sections["the remote's objects"]} == asked
    assert len(asked) == 3


def test_a_remote_that_is_no_folder_is_not_known(root: Path) -> None:
    config = root / ".dvc/config"
    config.write_text(config.read_text().replace("../../remote", "s3://bucket/x"))
    made = deletion_request(root, ["customer=42"], now=NOW)
    assert made.sections["the remote's objects"] == []
    assert "s3://bucket/x is not a folder" in "\n".join(made.unknown)


def test_texts_in_git_and_notes_that_name_a_key(root: Path) -> None:
    """Beside its value, not 421 nor another column; the note's command is in the plan, and what it ends."""
    (root / "card.md").write_text("the odd one is customer: 42, of all\n")
    (root / "other.md").write_text("customer: 421\ncustomers: 4.2\norder = 42\n")
    tip = commit(root, "a card")
    note = json.dumps({"differs": [{"customer": "42"}]})
    run(root, "git", "notes", "--ref", "refs/notes/furrow/replay", "add", "-m", note, "HEAD~1")
    made = deletion_request(root, ["customer=42"], now=NOW)
    told = {(one["path"], one["in"]) for one in made.sections["texts in Git, and notes"]}
    assert len(in_git_texts(root, [{"customer": "42"}], [])) == 2
    noted_on = run(root, "git", "rev-parse", f"{tip}~1").strip()
    assert told == {("card.md", "Git"), (noted_on, "notes/furrow/replay")}
    plan = "\n".join(made.sections["plan"])
    assert f"git notes --ref=furrow/replay remove {noted_on}" in plan
    assert "card.md" in plan
    ends = "\n".join(made.sections["what that makes invalid"])
    assert "1 note says no more" in ends
    assert "history that is rewritten" in ends


def test_the_online_store_is_asked(tmp_path: Path) -> None:
    """By its own keys; somebody of whom it has nothing is not there, and without a store that is told."""
    run(tmp_path, "git", "init", "-q", "-b", "main")
    build_features(tmp_path)
    commit(tmp_path, "features")
    made = deletion_request(tmp_path, ["shop=north", "shop=nowhere", "visits=10"], now=NOW)
    (one,) = made.sections["online store"]
    assert (one["view"], one["records"]) == ("day", 1)
    assert any("materialize --full" in step for step in made.sections["plan"])
    assert any("answers `missing`" in said for said in made.sections["what that makes invalid"])
    assert not deletion_request(tmp_path, ["shop=nowhere"], now=NOW).sections["online store"]
    shutil.rmtree(tmp_path / "build/online")
    made = deletion_request(tmp_path, ["shop=north"], now=NOW)
    assert any("online store can't be looked at" in one for one in made.unknown)


def test_a_branch_whose_changes_a_merge_did_not_take(root: Path) -> None:
    """Nor a work tree's or a tag's: the data of a branch that was merged away are in the cache all the same."""
    run(root, "git", "checkout", "-q", "-b", "side")
    side = record(root, [7], {})
    run(root, "git", "checkout", "-q", "main")
    record(root, [8], {})
    run(root, "git", "merge", "-q", "-s", "ours", "-m", "not theirs", "side")
    run(root, "git", "branch", "-D", "-q", "side")
    ((one,), _) = find_key(root, [{"customer": "7"}])
    assert one.commits == [side]


def test_somebody_who_is_in_nothing(built: Path) -> None:
    made = deletion_request(built, ["customer=43", "nobody=1"], now=NOW)
    assert made.sections["plan"] == []
    assert not any(made.sections.values())


def test_what_is_not_here_is_said_to_be_unknown(root: Path) -> None:
    """Never "not there": a content that can't be looked at may hold anybody."""
    for path in (root / ".dvc/cache").rglob("*"):
        if path.is_file() and not path.name.endswith(".dir"):
            path.unlink()
    made = deletion_request(root, ["customer=42"], now=NOW)
    said = "\n".join(made.unknown)
    for path in ("data", TABLES, TRAINING):
        assert f"{path}: " in said
    (root / ".furrow/serving/production/log/sealed/2024-03-05T00/s/gbm.parquet").write_bytes(b"x")
    assert "can't be read" in "\n".join(deletion_request(root, ["a=1"], now=NOW).unknown)


@pytest.mark.parametrize("text", ["", "customer", "customer=", "=42", "a=1,b", "a=1,,b=2"])
def test_what_names_nobody(text: str) -> None:
    with pytest.raises(AskedKeyError, match="names nobody"):
        parse_key([text])


def test_labels_are_looked_through(root: Path) -> None:
    labels = root / ".furrow/serving/production/labels"
    labels.mkdir()
    (labels / "000001-a.parquet").write_bytes(table(customer=[42, 1]))
    (labels / "000002-b.parquet").write_bytes(b"x")
    made = deletion_request(root, ["customer=42"], now=NOW)
    (one,) = made.sections["labels, and other files of servers"]
    assert one["rows"] == 1
    assert one["path"] in "\n".join(made.sections["plan"])
    assert "labels/000002-b.parquet can't be read" in "\n".join(made.unknown)


def test_data_beside_data_dvc(root: Path) -> None:
    """A .dvc file in any folder names raw data; that of another project within does not."""
    shutil.rmtree(root / ".furrow")
    content = table(customer=[99])
    store(root, md5(content), content)
    for place in ("data", "inner/data"):
        (root / place).mkdir(parents=True)
        said = f"outs:\n- md5: {md5(content)}\n  path: landed.parquet\n"
        (root / place / "landed.parquet.dvc").write_text(said)
    (root / "inner/dvc.yaml").write_text("stages: {}\n")
    (root / ".gitignore").write_text("/build\n/.furrow\n*.parquet\n")
    commit(root, "landed")
    told = deletion_request(root, ["customer=99"], now=NOW).sections["data versions"]
    assert [one["path"] for one in told] == ["data/landed.parquet"]
    (needed,) = [one for one in needed_contents(root).values() if "landed" in one.path]
    assert needed.source
    (root / ".dvc/cache/files/md5" / md5(content)[:2] / md5(content)[2:]).unlink()
    assert "raw data" in next(one.how for one in fsck(root) if "landed" in one.said)


def test_several_columns_are_one_name_and_several_keys_are_several() -> None:
    assert parse_key(["a=1,b=x=y", "c=2"]) == [{"a": "1", "b": "x=y"}, {"c": "2"}]


@settings(max_examples=40)
@given(st.lists(st.none() | st.integers(-5, 5) | st.booleans(), max_size=6), st.integers(-5, 5))
def test_a_value_is_found_by_what_it_is(values: list[Any], wanted: int) -> None:
    """As Python compares them as text: no null, no boolean, no rounding makes another one equal."""
    numbers = [one for one in values if not isinstance(one, bool)]
    column = pa.chunked_array([pa.array(numbers, pa.int64())])
    assert same_value(column, str(wanted)).to_pylist() == [one == wanted for one in numbers]
    texts = [None if one is None else f"{one}" for one in numbers]
    column = pa.chunked_array([pa.array(texts, pa.string()).dictionary_encode()])
    assert same_value(column, str(wanted)).to_pylist() == [one == f"{wanted}" for one in texts]
    flags = pa.chunked_array(
        [pa.array([one for one in values if isinstance(one, bool)], pa.bool_())]
    )
    assert not any(same_value(flags, "nonsense").to_pylist())


def test_gc_keeps_what_something_needs(root: Path) -> None:
    """The first commit's contents are garbage; the served version's, though no branch has them, are not."""
    before = {path for path in (root / ".dvc/cache").rglob("*") if path.is_file()}
    assert sorted(kept_commits(root).values()) == [
        "refs/heads/main",
        "refs/tags/gbm@v1.0.0",
        "what production served",
    ]
    (cache, remote) = find_garbage(root, older=86_400, remote=True)
    assert cache.contents == remote.contents
    assert cache.contents == {}  # the log names the first commit
    shutil.rmtree(root / ".furrow")
    (cache, remote) = find_garbage(root, older=86_400, remote=True)
    data = run(root, "git", "show", "HEAD~2:data.dvc").split("md5: ")[1].split("\n")[0]
    (only,) = json.loads((root / ".dvc/cache/files/md5" / data[:2] / data[2:]).read_text())
    # its table and its training set are contents that the newest commit has, too
    assert set(cache.contents) == {data, only["md5"]}
    assert {path for path in (root / ".dvc/cache").rglob("*") if path.is_file()} == before
    assert collect(cache) == cache.size > 0
    assert collect(remote) == remote.size
    assert not any(one.contents for one in find_garbage(root, older=86_400, remote=True))
    assert not [one for one in fsck(root) if one.state in ("missing", "damaged", "lost")]


def test_gc_keeps_what_is_too_new_and_what_the_work_tree_names(root: Path) -> None:
    shutil.rmtree(root / ".furrow")
    assert [one.young for one in find_garbage(root, older=200 * 86_400)] == [2]
    lock = run(root, "git", "show", "HEAD~2:dvc.lock")
    write_text(root / "dvc.lock", lock)  # not committed: a stage ran a moment ago
    (root / "data.dvc").write_text(run(root, "git", "show", "HEAD~2:data.dvc"))
    assert not find_garbage(root, older=86_400)[0].contents
    names = named_contents(root, []).contents
    assert names == named_contents(root, ["HEAD~2"]).contents


def test_gc_keeps_what_was_replayed(root: Path) -> None:
    shutil.rmtree(root / ".furrow")
    (cache,) = find_garbage(root, older=86_400)
    assert cache.contents
    notes = ("git", "notes", "--ref", "refs/notes/furrow/replay")
    run(root, *notes, "add", "-m", "{}", "HEAD~2")
    assert not find_garbage(root, older=86_400)[0].contents


def test_gc_removes_nothing_when_it_cannot_tell(root: Path, tmp_path: Path) -> None:
    """A log that can't be read, a folder's list that is gone, a cache that others share, a remote that is none."""
    (root / ".furrow/serving/production/log/sealed/2024-03-05T00/s/gbm.parquet").write_bytes(b"x")
    with pytest.raises(KeptError, match="can't be read"):
        find_garbage(root, older=0)
    shutil.rmtree(root / ".furrow")
    data = (root / "data.dvc").read_text().split("md5: ")[1].split("\n")[0]
    (root / ".dvc/cache/files/md5" / data[:2] / data[2:]).unlink()
    with pytest.raises(KeptError, match="the lists of 1 folders"):
        find_garbage(root, older=0)
    assert find_garbage(root, older=0, remote=True)  # the remote has the list
    shutil.rmtree(root.parent / "remote")
    with pytest.raises(KeptError, match="not a folder"):
        find_garbage(root, older=0, remote=True)
    with (root / ".dvc/config").open("a") as handle:
        handle.write(f"[cache]\n    dir = {tmp_path}\n")
    with pytest.raises(KeptError, match="is shared"):
        find_garbage(root, older=0)


def test_the_commands(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the request to the contents' end; nothing goes without --yes."""
    monkeypatch.chdir(root)
    before = sorted((root / ".dvc/cache").rglob("*"))
    audit_cli.command.main(["--key", "customer=42"], standalone_mode=False)
    assert "1. take the rows out at the source" in capsys.readouterr().out
    asked = contents_of_request(root / "audit.json")
    assert len(asked) == 3
    gc_cli.command.main(["--drop", "audit.json"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "3 of them are needed" in said
    assert "nothing was removed" in said
    assert sorted((root / ".dvc/cache").rglob("*")) == before
    gc_cli.command.main(["--drop", "audit.json", "--yes", "--json"], standalone_mode=False)
    (told,) = json.loads(capsys.readouterr().out)["found"]
    assert set(told["contents"]) == asked
    assert find_key(root, [{"customer": "42"}])[0] == []
    for words in ([], ["production", "--key", "a=1"], ["--key", "a=1", "--check"]):
        with pytest.raises(Exception, match="give a version"):
            audit_cli.command.main(words, standalone_mode=False)
    (root / "other.json").write_text(audit_json(Audit("x", "version", "")))
    for content in ("{}", "[]", "x"):
        (root / "other.json").write_text(content)
        with pytest.raises(FurrowError):
            contents_of_request(root / "other.json")


def test_records_of_a_log(built: Path) -> None:
    log = built / ".furrow/serving/production/log"
    assert records_about(log, {"customer": "42", "country": "NL"})[0] != {}
    assert records_about(log, {"customer": "42", "country": "DE"})[0] == {}
    assert records_about(log, {"other": "42"})[0] == {}
    assert len(commits_of(log)[0]) == 1


def test_a_lock_of_any_form_names_what_it_can(root: Path) -> None:
    """A hostile commit's dvc.lock hides no other commit's contents, and stops nothing."""
    shutil.rmtree(root / ".furrow")
    before, _ = find_key(root, [{"customer": "42"}])
    for text in ("stages: [a]", "stages: {a: {outs: }}", "stages: {a: {outs: {b: 1}}}", "- a", "["):
        (root / "dvc.lock").write_text(text + "\n")
        commit(root, text)
    found, unknown = find_key(root, [{"customer": "42"}])
    assert [(one.path, one.rows) for one in found] == [(one.path, one.rows) for one in before]
    assert any("not valid YAML" in one for one in unknown)
    assert named_contents(root, kept_commits(root)).contents
    assert find_garbage(root, older=0)
