"""A file of trees from anywhere: what treelite wrote is read, and nothing else ever reaches it."""

import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import treelite
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from furrow.errors import FurrowError
from furrow.training.encoding import Category
from furrow.training.predictor import Predictor, PredictorError
from furrow.training.tree_file import TreeFileError, hold_to_format

pytestmark = pytest.mark.attack
EXAMPLES = int(os.environ.get("FURROW_TREE_EXAMPLES", "150"))
CHILD = """
import os, random, resource, struct, sys
from pathlib import Path
import numpy as np
from furrow.errors import FurrowError
from furrow.training.scorers import _trees
died, answers = [], [0, 0]
odd = [0, 1, 2, 3, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 1000, 100000]
for file in sys.argv[2:]:
    sound = Path(file).read_bytes()
    for number in range(int(sys.argv[1])):
        chance, data = random.Random(number), bytearray(sound)
        for _ in range(chance.choice([1, 1, 2, 5])):
            at = chance.randrange(0, chance.choice([300, 3000, len(data) - 4]))
            size = chance.choice("BHI")
            word = chance.choice([*odd, chance.randrange(2**32)])
            struct.pack_into("<" + size, data, at, word % (1 << 8 * struct.calcsize(size)))
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
            try:
                trees = _trees(bytes(data), False)
            except FurrowError:
                os._exit(1)
            matrix = np.random.RandomState(1).normal(size=(20, max(1, trees.model.num_feature)))
            trees.scores(matrix, 1)
            trees.row(matrix[0].tolist())
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code in (0, 1):
            answers[code] += 1
        else:
            died.append((file, number, code))
print(answers, died)
sys.exit(bool(died) or min(answers) == 0)
"""


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """Trees of one output and of several, with categories and with leaves that are lists."""
    chance = np.random.RandomState(3)
    rows = chance.normal(size=(400, 5))
    rows[:, 4] = chance.randint(0, 6, 400)
    labels = (rows[:, 0] + (rows[:, 4] > 3) > 0.4).astype(int)
    many = labels + (rows[:, 1] > 0.5)
    boosting = HistGradientBoostingClassifier(max_iter=8, categorical_features=[4])
    forest = RandomForestClassifier(n_estimators=5, max_depth=5, random_state=1)
    found = {
        "two": treelite.sklearn.import_model(boosting.fit(rows, labels)),
        "several": treelite.sklearn.import_model(boosting.fit(rows, many)),
        "forest": treelite.sklearn.import_model(forest.fit(rows, many)),
    }
    return {name: model.serialize_bytes() for name, model in found.items()}


def test_what_treelite_wrote_is_read(models: dict[str, bytes]) -> None:
    """Each kind of trees; a file that ends early, or goes on, is none."""
    for content in models.values():
        hold_to_format(content)
        for damaged in (b"", content[:40], content[:-1], content + b"\0"):
            with pytest.raises(TreeFileError):
                hold_to_format(damaged)


def _arrays(content: bytes) -> dict[str, int]:
    """Where the first tree's arrays begin in a file."""
    at = 4 * 3 + 2 + 8 + 4 + 1 + 1 + 4
    for size in (4, 4, 4, 4, 1):
        at += 8 + struct.unpack_from("<Q", content, at)[0] * size
    at += 8
    for size in (8, 1):
        at += 8 + struct.unpack_from("<Q", content, at)[0] * size
    at += 4 + 5
    found = {}
    for name, size in (("kind", 1), ("left", 4), ("right", 4), ("column", 4)):
        found[name] = at + 8
        at += 8 + struct.unpack_from("<Q", content, at)[0] * size
    return found


@pytest.mark.parametrize(
    ("place", "word", "said"),
    [
        (lambda at: at["left"], 0, "children"),  # walked for ever
        (lambda at: at["left"], 1 << 20, "children"),  # read beyond
        (lambda at: at["right"], -5, "children"),
        (lambda at: at["column"], 1 << 28, "columns"),
        (lambda at: at["column"], -1, "columns"),
        (lambda _: 22, 1 << 30, "columns"),
        (lambda _: 28, 7, "outputs"),
        (lambda _: 0, 3, "version"),  # another reader of treelite's
    ],
)
def test_what_leads_out_is_refused(
    models: dict[str, bytes], place: Callable[[dict[str, int]], int], word: int, said: str
) -> None:
    """Children, columns and outputs that there are not; the error names what to do."""
    data = bytearray(models["two"])
    struct.pack_into("<i", data, place(_arrays(data)), word)
    with pytest.raises(TreeFileError, match=said) as refused:
        hold_to_format(bytes(data))
    assert "not opened" in refused.value.hint


def test_no_file_of_trees_kills_a_process(models: dict[str, bytes], tmp_path: Path) -> None:
    """Hundreds of damaged files, opened and walked: an answer or a refusal, never a signal or a walk without end."""
    for name, content in models.items():
        (tmp_path / name).write_bytes(content)
    files = [str(tmp_path / name) for name in models]
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(EXAMPLES), *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert not done.returncode, (done.stdout[-2000:], done.stderr[-2000:])


def test_a_predictor_of_any_values_is_refused() -> None:
    """predictor.json is input from outside too: each value in it, replaced, is a known error or a predictor."""
    column = {"kind": "category", "column": "a", "codes": {"x": 0, "y": 1}, "missing": None,
              "unknown": None, "width": 2}  # fmt: skip
    facts = {
        "format": 1, "columns": ["a"], "encoding": [column], "link": "sigmoid", "positive": True,
        "scorer": {"kind": "linear", "weights": [[1.0, 2.0]], "intercept": [0.5]}, "curve": None,
    }  # fmt: skip
    made = Predictor.parse(json.dumps(facts).encode(), lambda _: b"")
    assert made.row({"a": "x"}) > 0.8
    chance, refused = random.Random(1), 0
    for key in ("columns", "encoding", "link", "scorer", "curve"):
        for value in (None, 5, "x", [], {}, [5], [None], {"kind": "trees"}, {"kind": []}, 1e300):
            odd = {**facts, key: value}
            try:
                Predictor.parse(json.dumps(odd).encode(), lambda _: bytes(chance.randrange(99)))
            except FurrowError as exc:
                assert isinstance(exc, PredictorError | TreeFileError)  # noqa: PT017
                refused += 1
    assert refused > 30
    for odd in ({"width": 1 << 40}, {"width": -1}, {"codes": {"x": 2}}, {"unknown": 9}):
        with pytest.raises(ValueError, match=r"numbers|place"):
            Category(**{k: v for k, v in {**column, **odd}.items() if k != "kind"})
        text = json.dumps({**facts, "encoding": [{**column, **odd}]}).encode()
        with pytest.raises(PredictorError, match="damaged"):
            Predictor.parse(text, lambda _: b"")
