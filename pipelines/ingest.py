"""Ingest: land the published flights in data/, month by month, as a team's nightly job would.

    python -m pipelines.ingest                      what data.dvc describes; January to September
    where there is none python -m pipelines.ingest --through 2013-10    up to and including October

Running it again changes nothing; after a kill at any moment, running it again completes it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from furrow.cli import render
from furrow.data import landing, tracked
from furrow.errors import FurrowError, UsageError
from pipelines.layout import MONTHLY, REFERENCE, SCHEMAS, STAMP

__all__ = ["command", "ingest", "main"]

_YEAR, _DEFAULT_MONTHS = 2013, 9


@dataclass(frozen=True)
class Landed:
    """One file of data/ after the ingest."""

    path: Path
    rows: int
    outcome: str  # added, rewritten, unchanged


@dataclass(frozen=True)
class Outcome:
    """What an ingest did."""

    files: tuple[Landed, ...]
    notices: tuple[str, ...]
    pointer: str  # "none", "same" or "other": data/ beside what data.dvc describes

    def __bool__(self) -> bool:
        """Whether anything was written."""
        return any(file.outcome != "unchanged" for file in self.files)


def ingest(data_dir: Path, *, through: int | None = None, rewrite: bool = False) -> Outcome:
    """Land every month up to one, and compare the folder with its .dvc file.

    Args:
        data_dir: The folder; `data_dir.dvc` beside it is its pointer, if there is one.
        through: The last month (1 to 12). None: what the pointer describes or the folder holds, at
            least September where there is no pointer.
        rewrite: Write every file again, also those that this ingest did not write.

    Raises:
        furrow.errors.FurrowError: The source can't be read, the disk is full, a file in the folder
            was not landed by this ingest, or the folder is not what its .dvc file describes.
    """
    pointer = tracked.read_pointer(data_dir.with_name(data_dir.name + ".dvc"))
    described = 0 if pointer is None else _months_described(pointer)
    with landing.exclusive(data_dir):
        notices = [
            f"removed {path}, left by a run that was killed" for path in landing.sweep(data_dir)
        ]
        held = _months_held(data_dir)
        last = through or max(described if pointer else _DEFAULT_MONTHS, held)
        files = _land_all(data_dir, last, rewrite=rewrite, notices=notices)
        if held > last:
            notices.append(
                f"months after {_label(last)} are kept as they are (the newest is {_label(held)})"
            )
        state = _compare(data_dir, pointer, months=max(last, held), described=described)
    return Outcome(tuple(files), tuple(notices), state)


def _months_described(pointer: tracked.Pointer) -> int:
    """How many months the pointer's folder has, by its number of files."""
    if pointer.files is None:
        return _DEFAULT_MONTHS
    months, odd = divmod(pointer.files - len(REFERENCE), len(MONTHLY))
    if odd or not 1 <= months <= 12:
        raise tracked.PointerError(
            f"{pointer.path}: nfiles {pointer.files} is not the number of files of 1 to 12 months",
            path=pointer.path,
            hint=f"look for files in {pointer.path.stem}/ that the ingest does not land, then `dvc add "
            f"{pointer.path.stem}`; or restore it: git checkout -- {pointer.path.name}",
        )
    return months


def _months_held(data_dir: Path) -> int:
    """The newest month in the folder, 0 if there is none."""
    names = [path.stem for path in data_dir.glob("flights/*.parquet")]
    return max(
        (int(name[5:]) for name in names if re.fullmatch(rf"{_YEAR}-(0[1-9]|1[0-2])", name)),
        default=0,
    )


def _label(month: int) -> str:
    return f"{_YEAR}-{month:02d}"


def _land_all(data_dir: Path, last: int, *, rewrite: bool, notices: list[str]) -> list[Landed]:
    """Check every file that should be there and write those that are missing or damaged."""
    months = range(1, last + 1)
    places = {
        data_dir / name / f"{_label(month)}.parquet": (name, month)
        for name in MONTHLY
        for month in months
    }
    places |= {data_dir / f"{name}.parquet": (name, 0) for name in REFERENCE}
    done: dict[Path, Landed] = {}
    wanted: dict[Path, str] = {}
    for path, (name, _) in places.items():
        if rewrite or not path.exists():
            wanted[path] = "rewritten" if path.exists() else "added"
            continue
        try:
            done[path] = Landed(path, landing.check(path, SCHEMAS[name], stamp=STAMP), "unchanged")
        except landing.DamagedError as exc:
            notices.append(f"{exc.message}; it is landed again")
            wanted[path] = "rewritten"
        except landing.ForeignError as exc:
            hint = "move the file away if you need it, or land it again with --rewrite"
            raise landing.ForeignError(exc.message, path=path, hint=hint) from exc
    if wanted:
        done |= _write(places, wanted)
    return [done[path] for path in places]


def _write(places: dict[Path, tuple[str, int]], wanted: dict[Path, str]) -> dict[Path, Landed]:
    """Read the source once and write the wanted files."""
    from pipelines import source  # noqa: PLC0415 - a run that finds everything in place needs no pandas

    done = {}
    with render.progress("reading the source", total=len(wanted) + 1) as advance:
        folder = source.locate()
        months = sorted({month for path, (_, month) in places.items() if path in wanted and month})
        monthly = {
            "flights": source.flights(folder, months),
            "weather": source.weather(folder, months),
        }
        advance()
        for path, outcome in wanted.items():
            name, month = places[path]
            table = monthly[name][month] if month else source.reference(folder, name)
            landing.land(path, table, stamp=STAMP)
            done[path] = Landed(path, table.num_rows, outcome)
            advance(description=str(path))
    return done


def _compare(
    data_dir: Path, pointer: tracked.Pointer | None, *, months: int, described: int
) -> str:
    """Hold the folder against its .dvc file, where they speak of the same months."""
    if pointer is None:
        return "none"
    if months != described:
        return "other"
    hashes = tracked.file_hashes(data_dir)
    if tracked.folder_md5(hashes) == pointer.md5:
        return "same"
    lines = tracked.differences(pointer, hashes)
    known = {
        f"{name}/{_label(month)}.parquet" for name in MONTHLY for month in range(1, months + 1)
    }
    known |= {f"{name}.parquet" for name in REFERENCE}
    if lines is None:
        lines = [f"{name} is not landed by the ingest" for name in sorted(hashes.keys() - known)]
    said = "".join(f"\n    {line}" for line in lines)
    raise tracked.PointerError(
        f"{data_dir} is not what {pointer.path} describes: "
        f"its hash is {tracked.folder_md5(hashes)} instead of {pointer.md5}{said}",
        path=pointer.path,
        hint=f"if the change is meant: `dvc add {data_dir}`; if not: `python -m pipelines.ingest --rewrite` lands it "
        f"again, and `dvc checkout {data_dir}` brings back what was committed",
    )


def _month(text: str) -> int:
    match = re.fullmatch(rf"{_YEAR}-(0[1-9]|1[0-2])", text)
    if match is None:
        raise UsageError(
            f"--through {text}: not a month from {_YEAR}-01 to {_YEAR}-12",
            hint="write it as 2013-10",
        )
    return int(match[1])


@click.command()
@click.option(
    "--through",
    metavar="YYYY-MM",
    help="The last month to land (default: what data.dvc describes).",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
)
@click.option("--rewrite", is_flag=True, help="Write every file again, whatever is in its place.")
def command(through: str | None, data_dir: Path, rewrite: bool) -> None:
    """Land the published flights of 2013 in data/, month by month."""
    outcome = ingest(
        data_dir, through=None if through is None else _month(through), rewrite=rewrite
    )
    for notice in outcome.notices:
        click.echo(f"notice: {notice}", err=True)
    _summarize(outcome)
    if outcome.pointer == "same":
        click.echo(f"{data_dir} is what {data_dir}.dvc describes.")
    elif outcome.pointer == "other":
        click.echo(
            f"{data_dir} holds other months than {data_dir}.dvc describes. "
            f"Next: dvc add {data_dir}, then dvc repro; or dvc checkout {data_dir} to go back"
        )
    elif outcome:
        click.echo(f"Next: dvc add {data_dir}, then dvc repro")
    else:
        click.echo("Everything was in place.")


def _summarize(outcome: Outcome) -> None:
    """Print the rows of each month and table, and what was done."""
    by_name = {
        file.path.relative_to(file.path.parents[1]).as_posix(): file for file in outcome.files
    }
    months = sorted(
        {file.path.stem for file in outcome.files if file.path.parent.name == "flights"}
    )
    rows: list[tuple[object, ...]] = []
    for month in months:
        parts = [by_name[f"{name}/{month}.parquet"] for name in MONTHLY]
        rows.append(
            (
                month,
                *(f"{part.rows:,}" for part in parts),
                ", ".join(sorted({p.outcome for p in parts})),
            )
        )
    render.table(rows, ["month", *MONTHLY, ""], right=MONTHLY)
    rest = [file for file in outcome.files if file.path.parent.name not in MONTHLY]
    render.table(
        [(file.path.stem, f"{file.rows:,}", file.outcome) for file in rest],
        ["table", "rows", ""],
        right=["rows"],
    )


def main() -> None:
    """Run the command, and turn a known error into a message and an exit code."""
    try:
        command.main(standalone_mode=False)
    except FurrowError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted: run it again to complete it", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
