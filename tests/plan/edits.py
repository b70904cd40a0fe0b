"""Edits that people make to a project between two runs, drawn at random."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from .drawn_projects import NUMBERS, Drawn, write_yaml

Edit = Callable[[Path, Drawn, random.Random], object]


def _some(root: Path, names: list[str], pick: random.Random) -> Path | None:
    """A file at one of the paths, or inside one that is a folder."""
    there = [root / name for name in sorted(names) if (root / name).exists()]
    if not there:
        return None
    found = pick.choice(there)
    if found.is_dir():
        inner = sorted(path for path in found.rglob("*") if path.is_file())
        return pick.choice(inner) if inner else None
    return found


def _write(path: Path, text: str) -> None:
    """Write a file anew, so that one that is protected or linked is not written through."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)


def another_input(root: Path, made: Drawn, pick: random.Random) -> None:
    if path := _some(root, made.inputs, pick):
        _write(path, f"{pick.randrange(3)}\n")


def same_input(root: Path, made: Drawn, pick: random.Random) -> None:
    if path := _some(root, made.inputs + made.outs, pick):
        _write(path, path.read_text())


def another_output(root: Path, made: Drawn, pick: random.Random) -> None:
    if path := _some(root, made.outs, pick):
        _write(path, "other\n")


def lost_output(root: Path, made: Drawn, pick: random.Random) -> None:
    if path := _some(root, made.outs, pick):
        path.unlink()


def lost_input(root: Path, made: Drawn, pick: random.Random) -> None:
    if pick.random() < 0.3 and (path := _some(root, made.inputs, pick)):
        path.unlink()


def new_file(root: Path, made: Drawn, pick: random.Random) -> None:
    folders = [root / name for name in made.inputs + made.outs if (root / name).is_dir()]
    if folders:
        name = pick.choice(
            [
                "new.txt",
                "new.tmp",
                "ü.txt",
                "sub/new.txt",
                ".hidden",
                "sub2/.dvc/config",
                "a\\b.txt",
            ]
        )
        _write(pick.choice(folders) / name, "new\n")


def empty_folder(root: Path, made: Drawn, pick: random.Random) -> None:
    folders = [root / name for name in made.inputs if (root / name).is_dir()]
    if folders:
        (pick.choice(folders) / "empty").mkdir(exist_ok=True)


def link(root: Path, made: Drawn, pick: random.Random) -> None:
    """A file becomes a link to its like elsewhere; or a folder gets a link to a folder."""
    path = _some(root, made.inputs, pick)
    if path is None or path.is_symlink():
        return
    if pick.random() < 0.5:
        target = root / "elsewhere" / path.name
        _write(target, path.read_text())
        path.unlink()
        path.symlink_to(os.path.relpath(target, path.parent))
    elif not (path.parent / "linked").exists() and path.parent != root:
        (root / "elsewhere/folder").mkdir(parents=True, exist_ok=True)
        _write(root / "elsewhere/folder/z.txt", "z\n")
        (path.parent / "linked").symlink_to(os.path.relpath(root / "elsewhere/folder", path.parent))


def renamed(root: Path, made: Drawn, pick: random.Random) -> None:
    path = _some(root, made.inputs, pick)
    if (
        path is not None
        and len(path.relative_to(root).parts) > 1
        and not path.parent.joinpath("dvc.yaml").exists()
    ):
        path.rename(path.with_name(f"renamed-{path.name}"))


def runnable(root: Path, made: Drawn, pick: random.Random) -> None:
    if (path := _some(root, made.inputs, pick)) and not path.is_symlink():
        path.chmod(path.stat().st_mode ^ 0o100)


def parameter(root: Path, made: Drawn, pick: random.Random) -> None:
    there = [name for name in made.parameters if (root / name).is_file()]
    if not there:
        return
    path = root / pick.choice(there)
    text = path.read_text()
    if path.suffix == ".yaml":
        lines = text.splitlines()
        at = pick.randrange(len(lines))
        key = pick.choice(["a", "b", "zz"])
        lines[at if lines[at].startswith(("a:", "b:")) else 0] = f"{key}: {pick.choice(NUMBERS)}"
        text = "\n".join(dict.fromkeys(lines)) + "\n"
    else:
        text = text.replace("1", pick.choice(["1", "2", "1.0"]), 1)
    _write(path, text)


def lost_parameters(root: Path, made: Drawn, pick: random.Random) -> None:
    if made.parameters and pick.random() < 0.3:
        (root / pick.choice(made.parameters)).unlink(missing_ok=True)


def lost_from_cache(root: Path, made: Drawn, pick: random.Random) -> None:
    objects = sorted(path for path in (root / ".dvc/cache/files/md5").rglob("*") if path.is_file())
    if objects:
        pick.choice(objects).unlink()


def damaged_cache(root: Path, made: Drawn, pick: random.Random) -> None:
    objects = sorted(path for path in (root / ".dvc/cache/files/md5").rglob("*") if path.is_file())
    if objects:
        path = pick.choice(objects)
        path.chmod(0o644)
        if pick.random() < 0.7:
            path.write_bytes(path.read_bytes() + b"x")


def _bodies(made: Drawn) -> list[dict]:
    found = []
    for content in made.stages.values():
        for body in (content.get("stages") or {}).values():
            found.append(body.get("do", body))
    return found


def another_stage(root: Path, made: Drawn, pick: random.Random) -> None:
    """An edit of dvc.yaml."""
    bodies = _bodies(made)
    if not bodies:
        return
    body = pick.choice(bodies)
    match pick.randrange(8):
        case 0:
            body["frozen"] = not body.get("frozen", False)
        case 1:
            body["cmd"] = (
                body["cmd"] + " && echo" if isinstance(body["cmd"], str) else [*body["cmd"], "echo"]
            )
        case 2 if body.get("deps"):
            body["deps"] = body["deps"][:-1] or body.pop("deps")[:0]
        case 3:
            body.setdefault("deps", [])
            extra = sorted(name for name in made.inputs if (root / name).exists())
            if extra and "wdir" not in body:
                body["deps"] = [*body["deps"], str(root / pick.choice(extra))]
        case 4 if body.get("outs"):
            out = body["outs"][0]
            path, flags = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            body["outs"][0] = {
                path: {**flags, pick.choice(["cache", "persist"]): pick.random() < 0.5}
            }
        case 5:
            body["desc"] = "another"
        case 6:
            body["always_changed"] = not body.get("always_changed", False)
        case _:
            file = pick.choice(sorted(made.stages))
            stages = made.stages[file].get("stages") or {}
            if stages:
                name = pick.choice(sorted(stages))
                stages[f"{name}x"] = stages.pop(name)
    if body.get("deps") == []:
        del body["deps"]
    for name, content in made.stages.items():
        write_yaml(root / name, content)


def lost_lock(root: Path, made: Drawn, pick: random.Random) -> None:
    locks = sorted(root.rglob("dvc.lock"))
    if locks and pick.random() < 0.4:
        pick.choice(locks).unlink()


def old_lock(root: Path, made: Drawn, pick: random.Random) -> None:
    """A lock that DVC 2 wrote: md5s without `hash`, of texts with other line ends."""
    locks = sorted(root.rglob("dvc.lock"))
    if locks:
        path = pick.choice(locks)
        lines = [
            line
            for line in path.read_text().splitlines(keepends=True)
            if line.strip() != "hash: md5"
        ]
        path.write_text("".join(lines))


def ignoring(root: Path, made: Drawn, pick: random.Random) -> None:
    place = root / pick.choice(["", "prep"])
    if place.is_dir():
        lines = ["*.tmp", "new*", "sub/", "!new.txt", "/in1.txt", "dir", "s0*", "\\#x", "**/g.txt"]
        _write(place / ".dvcignore", "\n".join(pick.sample(lines, 2)) + "\n")


def git_ignoring(root: Path, made: Drawn, pick: random.Random) -> None:
    if pick.random() < 0.3 and (root / "prep").is_dir():
        with (root / ".gitignore").open("a") as handle:
            handle.write(pick.choice(["/prep\n", "*.dvc\n", "prep/dvc.yaml\n", "/elsewhere\n"]))


def everything_away(root: Path, made: Drawn, pick: random.Random) -> None:
    """The cache is emptied, as in a clone."""
    if pick.random() < 0.2:
        shutil.rmtree(root / ".dvc/cache", ignore_errors=True)


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        another_input, same_input, another_output, lost_output, lost_input, new_file, empty_folder, link, renamed,
        runnable, parameter, parameter, lost_parameters, lost_from_cache, damaged_cache, another_stage, lost_lock,
        old_lock, ignoring, git_ignoring, everything_away,
    )
}  # fmt: skip
