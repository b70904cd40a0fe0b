"""What a commit's attributes do to an archive hides nothing from a plan between commits, and no link of it leads out."""

import subprocess
from pathlib import Path

import pytest

from furrow.ground.git import resolve
from furrow.plan.between_revisions import _extract

pytestmark = pytest.mark.attack
FILES = {
    "dvc.yaml": "stages: {}\n", "sub/dvc.yaml": "stages:\n  hidden:\n    cmd: x\n", "deep/er/a.txt": "a", "crlf.txt": "a\nb\n",
    "version.txt": "$Format:%H$\n", "run.sh": "#!/bin/sh\n",
}  # fmt: skip


@pytest.mark.parametrize(
    "attributes",
    ["", "* export-ignore\n", "sub export-ignore\n", "sub/dvc.yaml export-ignore\n", "*.txt export-subst\n",
     "* export-ignore export-subst\n", ".gitattributes export-ignore\n*.txt export-subst\n"],
)  # fmt: skip
def test_an_archive_is_the_commit(repo, git, tmp_path, attributes):
    """Each file with its bytes, whatever the attributes keep out or have filled in."""
    for name, text in {
        **FILES,
        ".gitattributes": attributes,
        "sub/.gitattributes": "* export-ignore\n",
    }.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    (repo / "passwd").symlink_to("/etc/passwd")
    (repo / "up").symlink_to("../..")
    (repo / "inner").symlink_to("dvc.yaml")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "odd")
    _extract(repo, resolve(repo), tmp_path / "tree")
    tree = tmp_path / "tree"
    assert {name: (tree / name).read_text() for name in FILES} == FILES
    assert not (tree / "passwd").is_symlink()
    assert not (tree / "up").is_symlink()
    for path in tree.rglob("*"):
        assert path.resolve().is_relative_to(tree.resolve())


def test_a_tree_with_impossible_names(repo, git, tmp_path):
    """A tree that no checkout takes, with `..` and `.git` for names, writes nothing beside the folder."""
    blob = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-w", "--stdin"],
        input=b"x",
        capture_output=True,
        check=True,
    ).stdout.strip()

    def made(entries: list[tuple[bytes, bytes, bytes]]) -> bytes:
        content = b"".join(
            mode + b" " + name + b"\0" + bytes.fromhex(oid.decode()) for mode, name, oid in entries
        )
        command = [
            "git",
            "-C",
            str(repo),
            "hash-object",
            "-t",
            "tree",
            "-w",
            "--literally",
            "--stdin",
        ]
        return subprocess.run(
            command, input=content, capture_output=True, check=True
        ).stdout.strip()

    inner = made([(b"100644", b"planted", blob)])
    tree = made(
        [(b"40000", b"..", inner), (b"40000", b".git", inner), (b"100644", b"dvc.yaml", blob)]
    )
    commit = git(repo, "commit-tree", "-m", "x", tree.decode())
    (tmp_path / "in").mkdir()
    try:
        _extract(repo, commit, tmp_path / "in/tree")
    except Exception as exc:  # noqa: BLE001 - refusing it is as good
        assert str(exc)  # noqa: PT017
    assert not (tmp_path / "in/planted").exists()
    assert not (tmp_path / "planted").exists()
    assert Path(tmp_path / "in").is_dir()
