"""The one definition of a model's score: plain numbers and trees, loaded without running code.

A fitted model is converted once (`furrow.training.export`); evaluation, gate, search, predictions,
explanations and replay all score through what came of it. The same row has the same bits alone and
in any batch, with any number of threads, on any processor: trees add their leaves up in their order
(treelite's GTIL), linear scores their columns, and links and curves are computed in
`furrow.training.portable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from furrow.errors import FurrowError
from furrow.files import canonical_json, sha256_bytes, write_bytes
from furrow.layout import model
from furrow.parse import parse_json
from furrow.training.calibration import Curve, curve_from_json
from furrow.training.encoding import Encoding
from furrow.training.scorers import LINKS, ROW_LINKS, Trees, scorer_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.scorers import Scorer

__all__ = ["PREDICTOR", "TREES", "Predictor", "PredictorError", "held_bytes"]

FORMAT = 1
PREDICTOR = "predictor.json"
TREES = "trees.tl"


class PredictorError(FurrowError):
    """A stored predictor is missing, damaged, or of another format."""


@dataclass(frozen=True)
class Predictor:
    """A model as it scores.

    Attributes:
        columns: The inputs, in order.
        encoding: How they become numbers.
        scorer: What makes scores of the numbers.
        link: What makes outputs of the scores: a name in LINKS.
        positive: Whether the output is one number a row, the last (the positive class, or the only
            one).
        curve: What calibrates that number; None for none.
    """

    columns: tuple[str, ...]
    encoding: Encoding
    scorer: Scorer
    link: str
    positive: bool
    curve: Curve | None = None

    def encode(self, columns: Mapping[str, Any] | pd.DataFrame) -> NDArray[np.float64]:
        """The matrix that a model sees, shape (rows, numbers), of a data frame or a mapping of sequences."""
        return self.encoding.matrix(columns)

    def raw(self, matrix: NDArray[np.float64], *, threads: int = 1) -> NDArray[np.float64]:
        """Outputs that aren't calibrated.

        Args:
            matrix: From `encode`.
            threads: How many rows are scored at a time; no bit depends on it.

        Returns:
            Shape (rows,): the probability of the positive class, or a number. Shape (rows, classes)
                where there are
            more than two classes.
        """
        found = LINKS[self.link](self.scorer.scores(matrix, threads))
        return found[:, -1] if self.positive else found

    def predict(self, matrix: NDArray[np.float64], *, threads: int = 1) -> NDArray[np.float64]:
        """Outputs as they are told, calibrated; see `raw`."""
        found = self.raw(matrix, threads=threads)
        return found if self.curve is None else self.curve(found)

    def row(self, values: Mapping[str, Any]) -> float | list[float]:
        """What is told of one row, to the bit as `predict`: a number, or one for each class.

        Args:
            values: By column.
        """
        found = ROW_LINKS[self.link](self.scorer.row(self.encoding.row(values)))
        if not self.positive:
            return found if self.curve is None else self.curve(np.array([found]))[0].tolist()
        return found[-1] if self.curve is None else self.curve.one(found[-1])

    def save(self, folder: Path) -> str:
        """Write predictor.json, and trees.tl where there are trees.

        Returns:
            The sha256 of predictor.json, which holds that of trees.tl.
        """
        facts = {
            "format": FORMAT,
            "columns": list(self.columns),
            "encoding": self.encoding.to_json(),
            "scorer": self.scorer.to_json(),
            "link": self.link,
            "positive": self.positive,
            "curve": None if self.curve is None else self.curve.to_json(),
        }
        content = canonical_json(facts).encode()
        (folder / TREES).unlink(missing_ok=True)
        if isinstance(self.scorer, Trees):
            write_bytes(folder / TREES, self.scorer.model.serialize_bytes())
        write_bytes(folder / PREDICTOR, content)
        return sha256_bytes(content)

    @classmethod
    def load(cls, folder: Path, *, sha256: str) -> Predictor:
        """Read a predictor, after its bytes were found to be those that a record names.

        Raises:
            PredictorError: It is missing, damaged, of another format, or another one.
        """
        return cls.parse(
            held_bytes(folder / PREDICTOR, sha256),
            lambda expected: held_bytes(folder / TREES, expected),
        )

    @classmethod
    def parse(cls, content: bytes, trees: Callable[[str], bytes]) -> Predictor:
        """The predictor that `save` wrote.

        Args:
            content: What predictor.json holds, checked.
            trees: Gives what trees.tl holds, of the sha256 that it is asked for.

        Raises:
            PredictorError: It is of another format.
        """
        facts = parse_json(content, PREDICTOR)
        if not isinstance(facts, dict):
            raise PredictorError(f"{PREDICTOR} is none", hint="train again")
        if facts.get("format") != FORMAT:
            raise PredictorError(
                f"{PREDICTOR} has format {facts.get('format')!r}, not {FORMAT}",
                hint="open it with the version of Furrow that wrote it, or train again",
            )
        try:
            LINKS[facts["link"]]  # one that there is
            wanted = facts["scorer"].get("sha256")
            return cls(
                tuple(facts["columns"]),
                Encoding.from_json(facts["encoding"]),
                scorer_from_json(facts["scorer"], b"" if wanted is None else trees(wanted)),
                facts["link"],
                facts["positive"],
                None if facts["curve"] is None else curve_from_json(facts["curve"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise PredictorError(
                f"{PREDICTOR} is damaged or none: {type(exc).__name__} {exc}",
                hint="it is not opened; get it again from who trained it, or train again",
            ) from exc


def held_bytes(path: Path, sha256: str, error: type[FurrowError] = PredictorError) -> bytes:
    """A file of a model, if its bytes are the ones that are meant.

    Raises:
        FurrowError: As `error`: it can't be read, or is another one.
    """
    hint = f"run `dvc checkout {model(path.parent.name)}` or `dvc repro train@{path.parent.name}`"
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise error(f"cannot read {path}: {exc.strerror}", hint=hint) from exc
    found = sha256_bytes(content)
    if found != sha256:
        said = f"{path} has sha256 {found[:12]}…, the record says {sha256[:12]}…: it is not opened"
        raise error(said, hint=hint)
    return content
