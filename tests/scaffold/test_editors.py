"""What editors are told: errors that a problem matcher finds in its file, and schemas that others' tools read as we do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from furrow.cli.main import run as furrow
from furrow.scaffold.conf_schemas import conf_schemas, write_schemas
from tests.shopproject import declare

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_INSTALLED = Path(sys.prefix) / "yaml-server/node_modules/.bin/yaml-language-server"
SERVER = os.environ.get("FURROW_YAML_SERVER") or shutil.which("yaml-language-server") or ""
SERVER = SERVER or (str(_INSTALLED) if _INSTALLED.exists() else "")
"""The YAML language server; `make test-tools` brings it where npm is."""
STAGES = "stages:\n  compile:\n    cmd: furrow compile\n    deps: [conf]\n"


def matchers() -> list[dict[str, Any]]:
    """The patterns that docs/ASSISTANTS.md gives."""
    text = (ROOT / "docs/ASSISTANTS.md").read_text()
    [tasks] = [
        json.loads(one)
        for one in re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        if "problemMatcher" in one
    ]
    return [one["pattern"] for one in tasks["tasks"][0]["problemMatcher"]]


def found(said: str) -> list[tuple[str, int, str]]:
    """What VS Code would show: file, line (0 for the whole file) and message of each line that fits."""
    problems = []
    for line in said.splitlines():
        for one in matchers():
            fits = re.match(one["regexp"], line)
            if fits:
                at = int(fits[one["line"]]) if "line" in one else 0
                problems.append((fits[one["file"]], at, fits[one["message"]]))
                break
    return problems


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editors") / "shops"
    declare(folder)
    (folder / "dvc.yaml").write_text(STAGES)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        ("conf/config.yaml", "replicates:", "replicate:", True),
        ("conf/problem/again.yaml", "known_after: 24h", "known_after: soon", False),
        ("conf/problem/again.yaml", "task: binary", "task: [", False),
        ("features/tables/day.sql", "avg(spent)", "avg(spend)", True),
    ],
)  # fmt: skip
def test_an_error_is_found_in_its_file(
    shops: Path, path: str, old: str, new: str, line: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Real errors of real edits: the file is there, and the line is the one that was edited."""
    monkeypatch.chdir(shops)
    before = (shops / path).read_text()
    assert old in before
    (shops / path).write_text(before.replace(old, new))
    try:
        assert furrow(["compile"]) == 1
        [(file, at, message)] = found(capsys.readouterr().err)
        assert (shops / file).is_file()
        assert (shops / file).resolve() == (shops / path).resolve()
        assert message
        if line:
            assert (
                new.split("(", maxsplit=1)[0].rstrip(":")
                in (shops / path).read_text().splitlines()[at - 1]
            )
    finally:
        (shops / path).write_text(before)


def test_what_is_no_error_is_none() -> None:
    assert (
        found("9 experiments compiled, 0 files changed\nerror: there is no run 'x' at HEAD\n") == []
    )


@pytest.mark.parametrize("name", ["problem", "experiments", "contract"])
def test_check_jsonschema_reads_the_schemas(name: str, tmp_path: Path) -> None:
    """Another's tool takes what is there, and refuses a key that there is not."""
    write_schemas(tmp_path)
    schema = tmp_path / f".furrow/schema/{name}.json"
    kind = conf_schemas()[name]
    good = min(ROOT.glob(kind.files))
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text() + "\nno_such_key: 1\n")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema)]
    codes = [
        subprocess.run([*command, str(one)], capture_output=True, check=False).returncode
        for one in (good, bad)
    ]
    assert codes == [0, 1]


class LanguageServer:
    """A YAML language server, spoken to as an editor does: JSON-RPC with content-length over pipes."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [SERVER, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0
        settings = {
            "yaml": {
                "validate": True,
                "completion": True,
                "hover": True,
                "schemaStore": {"enable": False},
            }
        }
        self.ask(
            "initialize", {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": {}}
        )
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def tell(self, method: str, params: Any, **more: Any) -> None:
        text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
        self._process.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self.tell(method, params, id=self._number)
        return next(
            one for one in self.said() if one.get("id") == self._number and "method" not in one
        ).get("result")

    def said(self) -> Iterator[dict[str, Any]]:
        """Messages, its own questions answered with nothing."""
        assert self._process.stdout
        while True:
            size = 0
            while (line := self._process.stdout.readline().strip()) or not size:
                assert line or self._process.poll() is None, "the server ended"
                if line.lower().startswith(b"content-length"):
                    size = int(line.partition(b":")[2])
            message = json.loads(self._process.stdout.read(size))
            if "id" in message and "method" in message:
                answer = json.dumps(
                    {"jsonrpc": "2.0", "id": message["id"], "result": None}
                ).encode()
                assert self._process.stdin
                self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer))
                self._process.stdin.flush()
            yield message

    def complaints(self, path: Path) -> list[str]:
        """What it says of a file."""
        uri = path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": path.read_text()}
        self.tell("textDocument/didOpen", {"textDocument": document})
        for one in self.said():
            if (
                one.get("method") == "textDocument/publishDiagnostics"
                and one["params"]["uri"] == uri
            ):
                return [str(each["message"]) for each in one["params"]["diagnostics"]]
        return []

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.skipif(not SERVER, reason="no yaml-language-server here: make test-tools, with npm")
def test_the_language_server_reads_the_schemas(tmp_path: Path) -> None:
    """By the first line of a file: nothing is said of a good one, a misspelt key is named, and keys are offered."""
    write_schemas(tmp_path)
    folder = tmp_path / "conf/problem"
    folder.mkdir(parents=True)
    first = "# yaml-language-server: $schema=../../.furrow/schema/problem.json\n"
    rest = [
        line
        for line in (ROOT / "conf/problem/late.yaml").read_text().splitlines()
        if "yaml-language-server" not in line
    ]
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text(first + "\n".join(rest) + "\n")
    bad.write_text(first + "\n".join(rest) + "\nsplitt: 1\n")
    server = LanguageServer(tmp_path)
    try:
        assert server.complaints(good) == []
        assert any("splitt" in one for one in server.complaints(bad))
        place = {"line": len(bad.read_text().splitlines()), "character": 0}
        asked = {"textDocument": {"uri": bad.as_uri()}, "position": place}
        offered = server.ask("textDocument/completion", asked)
        labels = {one["label"] for one in offered["items"]}
        assert {"precision", "interval"} & labels
    finally:
        server.close()
