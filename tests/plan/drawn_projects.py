"""Projects drawn at random for a comparison with DVC: every key of dvc.yaml, .dvc files, parameters in four languages."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from hypothesis import strategies as st
from ruamel.yaml import YAML

FOLDERS = ("", "prep", "a b/ü")
NUMBERS = ("1", "1.0", "1e-3", "0.001", "40_000", "0b101", "0o17", "017", "0x1F", "1_000.5", ".5", "5.", "-0.0", "+3",
           ".inf", "-.inf", "1e5", "1E+5", "12:30:45", "190:20", "yes", "on", "No", "true", "~", "null", "''", "'1'",
           "2013-01-02", "2013-01-02T03:04:05Z", "2013-01-02 03:04:05.1", "0.1e1", "123456789012345678901234567890",
           "'2013-01-02'", "é", "[1, 2]", "{x: 1, y: [a]}", "[]", "{}", "!!str 1", "1__0", "0", "00")  # fmt: skip
"""Values as they may stand in YAML."""


@dataclass
class Drawn:
    """A project as files, and what a later edit needs of it.

    Attributes:
        files: Texts by path.
        outs: Paths that stages write.
        inputs: Plain files that stages read.
        parameters: Files of parameters.
        tracked: Paths for `dvc add`.
        stages: The dvc.yaml files, as values by path.
    """

    files: dict[str, str] = field(default_factory=dict)
    outs: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def plant(self, root: Path) -> None:
        """Write the files."""
        for name, text in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name, value in self.stages.items():
            write_yaml(root / name, value)


def write_yaml(path: Path, value: Any) -> None:
    """A value as YAML, as DVC writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 10_000
    with path.open("w") as handle:
        yaml.dump(value, handle)


def rare(draw: Any, odds: int) -> bool:
    """True once in `odds` + 1 times; the simplest example has nothing rare."""
    return bool(draw(st.integers(0, odds)) == odds)


def spelt(draw: Any, path: str, folder: str) -> str:
    """A path from a folder, in one of the ways in which people write it."""
    plain = os.path.relpath(path, folder or ".")
    way = draw(st.sampled_from(["plain"] * 8 + ["dot", "slash", "around"]))
    if way == "dot":
        return f"./{plain}"
    if way == "slash":
        return f"{plain}/"
    return f"x/../{plain}" if way == "around" else plain


def parameter_text(draw: Any, suffix: str) -> str:
    """A file of parameters with the keys a, b, c.d and list."""
    if suffix == ".yaml":
        one, two, three = (draw(st.sampled_from(NUMBERS)) for _ in range(3))
        return f"a: {one}\nb: {two}\nc: {{d: {three}, e: 1}}\nlist: [1, {{f: 2}}]\n1: int\n"
    number = draw(st.sampled_from([1, 1.0, 0.5, True, 10**20, "text", -1, 1e-3]))
    value = {
        "a": number,
        "b": draw(st.integers(0, 3)),
        "c": {"d": draw(st.integers(0, 2)), "e": 1},
        "list": [1, {"f": 2}],
    }
    if suffix == ".json":
        return json.dumps(value)
    if suffix == ".toml":
        return tomlkit.dumps(value)
    return f"a = {number!r}\nb: int = {value['b']}\nclass c:\n    d = {value['c']['d']}\n    e = (1, 2)\nlist = [1, {{'f': 2}}]\nt = (1, 2)\n"


@st.composite
def projects(draw: Any) -> Drawn:
    """A project of one to five stages in one to three folders."""
    made = Drawn()
    for folder in FOLDERS[: draw(st.integers(1, 3))]:
        prefix = f"{folder}/" if folder else ""
        for number in range(draw(st.integers(1, 2))):
            name = f"{prefix}in{number}.txt"
            made.files[name] = draw(st.sampled_from(["one\n", "two\r\n", "", "ü\n"]))
            made.inputs.append(name)
        if draw(st.booleans()):
            for inner in ("f.txt", "sub/g.txt", "h.tmp"):
                made.files[f"{prefix}dir/{inner}"] = draw(st.sampled_from(["x\n", "y\n"]))
            made.inputs.append(f"{prefix}dir")
        for suffix in draw(
            st.sets(st.sampled_from([".yaml", ".json", ".toml", ".py"]), max_size=2)
        ):
            name = f"{prefix}{draw(st.sampled_from(['params', 'hyper']))}{suffix}"
            made.files[name] = parameter_text(draw, suffix)
            if name.endswith("params.yaml"):  # used for templates, too, where DVC knows no dates
                made.files[name] = "\n".join(
                    line for line in made.files[name].split("\n") if "2013" not in line
                )
            made.parameters.append(name)
        if rare(draw, 2):
            made.files[f"{prefix}data/raw.txt"] = draw(st.sampled_from(["r\n", "s\n"]))
            made.files[f"{prefix}data/deep/more.txt"] = "m\n"
            made.tracked.append(f"{prefix}data")
            made.inputs += [f"{prefix}data", f"{prefix}data/deep"]
        content: dict[str, Any] = {}
        if rare(draw, 2):
            made.files[f"{prefix}vars.yaml"] = (
                "word: w\nmodels: {m1: {rate: 1e-3}, m2: {rate: 0.5}}\nmany: [p, q]\n"
            )
            content["vars"] = [
                "vars.yaml",
                {"opts": {"lr": 0.1, "flag": True, "names": ["k", "l"]}},
            ]
        content["stages"] = {}
        for number in range(draw(st.integers(0, 2)) + (not made.stages)):
            name, body = stage(draw, made, folder, f"s{number}", templated="vars" in content)
            content["stages"][name] = body
        if rare(draw, 3):
            content["metrics"] = ["in0.txt"]
            content["plots"] = [{"in0.txt": {"x": "a", "title": "T"}}, "dir"]
            content["params"] = ["params.yaml"]
            content["artifacts"] = {
                "model-one": {"path": "in0.txt", "type": "model", "desc": "d", "labels": ["a"]}
            }
        if not content["stages"]:
            del content["stages"]
        made.stages[f"{prefix}dvc.yaml"] = content
    if rare(draw, 2):
        made.files[".dvcignore"] = draw(
            st.sampled_from(["*.tmp\n", "sub/\n", "*.tmp\n!h.tmp\n", "/prep/dir\n", "# no\n"])
        )
    if "prep/in0.txt" in made.files and rare(draw, 4):
        made.files["prep/.dvcignore"] = draw(
            st.sampled_from(["*.txt\n!in0.txt\n", "/dir/sub\n", "h.tmp\n"])
        )
    return made


def stage(
    draw: Any, made: Drawn, folder: str, name: str, *, templated: bool
) -> tuple[str, dict[str, Any]]:
    """One stage, after those that are there already."""
    prefix = f"{folder}/" if folder else ""
    wdir = draw(st.sampled_from([None] * 5 + [".", "work", "${word}" if templated else "work"]))
    place = os.path.normpath(f"{prefix}{(wdir or '.').replace('${word}', 'w')}")
    made.files[f"{place}/.keep"] = ""
    kind = draw(st.sampled_from(["plain"] * 4 + ["list", "map", "matrix"]))
    if kind == "map" and not templated:
        kind = "plain"
    unique = {
        "plain": "",
        "list": "-${item}",
        "map": "-${key}",
        "matrix": "-${item.one}-${item.two}",
    }[kind]
    body: dict[str, Any] = {}
    deps = draw(st.lists(st.sampled_from(made.inputs + made.outs), max_size=3, unique=True))
    if deps:
        body["deps"] = [spelt(draw, path, place) for path in deps]
    shown = " ".join(f"'{os.path.relpath(path, place)}'" for path in deps)
    outs, commands = [], ["echo" + (" ${opts}" if templated and draw(st.booleans()) else "")]
    for number in range(draw(st.integers(0, 2)) + (not deps)):
        out = f"{name}-o{number}{unique}"
        folderish = rare(draw, 3)
        target = f"{out}/x.txt" if folderish else out
        making = f"mkdir -p {out} && " if folderish else ""
        commands.append(f"{making}(echo {name}; find {shown} -type f 2>/dev/null | sort | xargs -d '\\n' cat) > {target}"
                        if deps else f"{making}echo {name} {number} > {target}")  # fmt: skip
        flags: dict[str, Any] = {}
        if rare(draw, 3):
            flags["cache"] = draw(st.booleans())
        if rare(draw, 4):
            flags["persist"] = draw(st.booleans())
        if rare(draw, 5):
            flags |= {
                "push": False,
                "desc": "d",
                "type": "t",
                "labels": ["l"],
                "meta": {"k": 1},
                "remote": "r",
            }
        outs.append((out, flags, folderish))
        if not unique:
            made.outs.append(os.path.normpath(f"{place}/{out}"))
            if folderish:
                made.outs.append(os.path.normpath(f"{place}/{target}"))
    body["cmd"] = commands if draw(st.booleans()) else " && ".join(commands)
    for out, flags, folderish in outs:
        where = "outs" if folderish else draw(st.sampled_from(["outs", "outs", "metrics", "plots"]))
        body.setdefault(where, []).append({out: flags} if flags else out)
    reading = (
        draw(st.lists(st.sampled_from(made.parameters), max_size=2, unique=True))
        if made.parameters
        else []
    )
    for path in reading:
        keys = draw(
            st.sampled_from(
                [["a"], ["b", "c.d"], ["c"], ["list.1.f"], ["list"], None, ["a", "a"], ["c.*"], []]
            )
        )
        local = os.path.relpath(path, place)
        if local == "params.yaml" and keys and draw(st.booleans()):
            body.setdefault("params", []).extend(keys)
        else:
            body.setdefault("params", []).append(
                {local: keys} if keys is not None else {local: None}
            )
    if wdir:
        body["wdir"] = wdir
    for key, value, odds in (
        ("frozen", True, 60),
        ("always_changed", True, 20),
        ("desc", "text", 5),
        ("meta", {"k": [1]}, 5),
    ):
        if rare(draw, odds):
            body[key] = value
    if kind == "plain" and rare(draw, 4):
        body["vars"] = [{"local": {"x": 1}}]
        if isinstance(body["cmd"], str):
            body["cmd"] += " && echo ${local.x}"
    if kind == "list":
        return name, {"foreach": draw(st.sampled_from([["p", "q"], [1, 2.5, True]])), "do": body}
    if kind == "map":
        return name, {"foreach": "${models}", "do": body}
    if kind == "matrix":
        return name, {
            "matrix": {"one": [1, "z"], "two": ["${word}"] if templated else ["v"]},
            **body,
        }
    return name, body
