"""A bundle's files may be anyone's: a device, a file without end and rows that mean very much are not read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.files import sha256_file, write_json
from furrow.models import open_bundle as bounds
from furrow.models.bundle import BACKGROUND, BUNDLE, BundleError, save
from furrow.models.open_bundle import open_bundle
from furrow.training.fit import fit
from furrow.training.predictor import PREDICTOR, TREES

pytestmark = pytest.mark.attack


@pytest.fixture
def saved(frame, experiment, tmp_path):
    """A bundle, and what its record says of it."""
    folder = tmp_path / "gbm"
    fitted = fit(experiment, frame, ["delay_3h", "noise"])
    facts = save(folder, experiment, fitted, frame, extra={"importance": []})
    said = {name: facts[name] for name in ("model_sha256", "predictor_sha256")}
    return folder, said, facts


def test_a_bundle_is_opened(saved) -> None:
    """An ordinary one is."""
    folder, said, _ = saved
    assert len(open_bundle(folder, **said).background) == 64


@pytest.mark.parametrize("name", [PREDICTOR, TREES, BACKGROUND, "model.joblib"])
def test_devices_and_files_without_end(saved, name: str) -> None:
    """A commit's link to a device, and a file of nothing but a hole, are named and not read."""
    folder, said, _ = saved
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match=rf"{name} is not a regular file"):
        open_bundle(folder, **said)
    (folder / name).unlink()
    with (folder / name).open("wb") as handle:
        handle.truncate(bounds._MOST[name] + 1)
    with pytest.raises(BundleError, match=rf"{name} has [\d,]+ bytes, more than"):
        open_bundle(folder, **said)


def test_rows_that_mean_very_much(saved) -> None:
    """The rows that explanations compare with, of a stranger's bundle: its own hash is no proof."""
    folder, said, facts = saved
    code = pa.nulls(100_000, pa.int32()).fill_null(0)
    long = pa.DictionaryArray.from_arrays(code, pa.array(["x" * (1 << 20)]))
    pq.write_table(
        pa.table({"x": long}), folder / BACKGROUND, compression="zstd", store_schema=False
    )
    write_json(
        folder / BUNDLE, facts | {"background_sha256": sha256_file(Path(folder) / BACKGROUND)}
    )
    with pytest.raises(Exception, match=r"background\.parquet unpacks to too many bytes"):
        open_bundle(folder, **said)
