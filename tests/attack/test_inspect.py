"""What a commit from outside may not hold: found in Git's objects, before anything of it is written or run."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furrow.ci.inspect import Tree, expanded, inspect_commit
from furrow.ci.run_ci import Options, run_ci

pytestmark = pytest.mark.attack

Git = Callable[..., str]
MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def base(repo: Path, git: Git) -> Path:
    """A repository with a DVC project whose main branch is at rest."""
    write(repo, {
        ".dvc/config": "[core]\n    remote = store\n['remote \"store\"']\n    url = /srv/store\n",
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        "conf/names.yaml": "names: [one]\nout: ../../evil\nfile: conf/names.yaml\n",
        "dvc.yaml": "stages:\n  make:\n    cmd: touch made\n    outs: [made]\n",
    })  # fmt: skip
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-q", "-m", "base")
    git(repo, "branch", "trunk")
    return repo


def write(folder: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        whole = folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            whole.unlink(missing_ok=True)
            whole.symlink_to(content.removeprefix("-> "))
        else:
            whole.write_text(content)


def found(repo: Path, git: Git, *, imports: tuple[str, ...] = ()) -> list[str]:
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-q", "-m", "from outside")
    return inspect_commit(
        repo, git(repo, "rev-parse", "HEAD"), git(repo, "rev-parse", "trunk"), imports=imports
    )


def stage(lines: str) -> str:
    return f"stages:\n  make:\n    cmd: 'true'\n{lines}"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": "-> b", "b": "-> c", "c": "-> ../../etc/passwd"}, "a: a symbolic link"),
        ({"d": "-> conf", "conf/up": "-> ..", "e": "-> d/up/../x"}, "e: a symbolic link"),
        ({"a": "-> a"}, "a: a symbolic link"),
        ({"a": "-> .git/config"}, "in .git"),
        ({"a": "-> .dvc/config"}, "in .dvc"),
        ({"a": "-> .GIT/config"}, "in .GIT"),
        ({"conf/in": "-> ..", "dvc.yaml": stage("    outs: [conf/in/../x]\n")}, "outs"),
        ({"in": "-> conf", "dvc.yaml": stage("    outs: [in/../../x]\n")}, "leads out"),
        ({".dvc/config.local": "-> ../../../home/ada/.aws/credentials"}, ".dvc/config.local: a symbolic link"),
        ({".dvc/config.local": "-> ../conf/names.yaml"}, ".dvc must be a plain folder"),
        ({".dvc/config.local": "[core]\n"}, ".dvc/config.local: a file that DVC's folder does not hold"),
        ({".dvc/tmp/repo/x": "x"}, "a file that DVC's folder does not hold"),
        ({".dvc/cache/files/md5/ab/cd": "x"}, "a file that DVC's folder does not hold"),
        ({".furrow/sql.json": "{}"}, "what a machine remembers"),
        ({"sub/.furrow/compiled.json": "{}"}, "what a machine remembers"),
        ({"sub/.dvc": "-> ../conf"}, ".dvc must be a plain folder"),
        ({"dvc.lock": "-> conf/names.yaml"}, "a symbolic link in place of a file of DVC's"),
        ({"x.dvc": "-> conf/names.yaml"}, "a symbolic link in place of a file of DVC's"),
        ({"a\nb": "x"}, "control characters"),
        ({"dvc.yaml": "vars: ['../../secret.yaml']\n" + stage("")}, "vars: ../../secret.yaml leads out"),
        ({"dvc.yaml": "vars: [/root/.aws/credentials]\n" + stage("")}, "vars: /root/.aws/credentials leads out"),
        ({"dvc.yaml": "vars: ['${out}']\n" + stage("")}, "not a plain path"),
        ({"dvc.yaml": "vars: ['https://x.invalid/v.yaml']\n" + stage("")}, "leads out"),
        ({"dvc.yaml": stage("    vars: ['../../../x.yaml:k']\n")}, "leads out"),
        ({"v.yaml": "-> w.yaml", "w.yaml": "-> /etc/passwd", "dvc.yaml": "vars: [v.yaml]\n" + stage("")}, "leads out"),
        ({"dvc.yaml": stage("    params: [{../../p.yaml: [a]}]\n")}, "params: ../../p.yaml leads out"),
        ({"dvc.yaml": stage("    params: [{.git/config: [a]}]\n")}, "lies in .git"),
        ({"dvc.yaml": stage("    metrics: [{../m.json: {cache: false}}]\n")}, "leads out"),
        ({"dvc.yaml": stage("    plots: [{.dvc/p.csv: {x: a}}]\n")}, "lies in .dvc"),
        ({"dvc.yaml": "params: [../../p.yaml]\n" + stage("")}, "params: ../../p.yaml leads out"),
        ({"dvc.yaml": "plots: [{/etc/passwd: {x: a}}]\n" + stage("")}, "leads out"),
        ({"dvc.yaml": "artifacts: {m: {path: ../../x}}\n" + stage("")}, "leads out"),
        ({"dvc.yaml": "datasets: [{name: a, url: 's3://x/y'}]\n" + stage("")}, "'datasets'"),
        ({"dvc.yaml": stage("    outs: [{made: {remote: other}}]\n")}, "'remote'"),
        ({"dvc.yaml": stage("    outs: ['remote://store/x']\n")}, "leads out"),
        ({"dvc.yaml": stage("    deps: ['ssh://host/x']\n")}, "leads out"),
        ({"dvc.yaml": stage("    wdir: conf/../..\n")}, "wdir conf/../.. leads out"),
        ({"sub/dvc.yaml": stage("    outs: [../../x]\n")}, "sub/dvc.yaml: outs"),
        ({"dvc.lock": f"schema: '2.0'\nstages:\n  make:\n    cmd: x\n    outs: [{{path: ../x, md5: {MD5}}}]\n"}, "leads out"),
        ({"dvc.lock": "schema: '2.0'\nstages:\n  make:\n    cmd: x\n    outs: [{path: x, cloud: {s: {etag: e}}}]\n"}, "'cloud'"),
        ({"x.dvc": f"outs: [{{path: x, md5: {MD5}, remote: mine}}]\n"}, "'remote'"),
        ({"x.dvc": f"outs: [{{path: x, md5: {MD5}}}]\ndeps: [{{path: y, repo: {{url: /srv/private.git}}}}]\n"}, "imports from /srv/private.git"),
        ({"x.dvc": f"outs: [{{path: x, md5: {MD5}}}]\ndeps: [{{path: 'http://10.0.0.1/meta'}}]\n"}, "imports from http://10.0.0.1/meta"),
        ({"x.dvc": f"outs: [{{path: x, md5: {MD5}}}]\ndeps: [{{path: y, repo: {{url: u, config: c}}}}]\n"}, "'config'"),
        ({"x.dvc": f"outs: [{{path: x, md5: {MD5}}}]\ndeps: [{{path: ../../y}}]\n"}, "leads out"),
        ({"dvc.yaml": "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9))}, "not valid YAML"),
        ({"dvc.yaml": "a: &a [*a]\n"}, "not valid YAML"),
        ({".dvc/config": "[core]\n    remote = store\n    site_cache_dir = /srv\n"}, "core.site_cache_dir"),
        ({".dvc/config": "[cache]\n    dir = /root\n"}, "cache.dir"),
        ({".dvc/config": "[hydra]\n    plugins_path = evil\n"}, "hydra.plugins_path"),
        ({".dvc/config": "['remote \"store\"']\n    url = x\n    ask_password = true\n"}, "ask_password"),
        ({".dvc/config": "['remote \"store\"']\n    keyfile = /root/.ssh/id\n"}, "keyfile"),
        ({".dvc/config": "[core\n"}, "can't be read"),
        ({"/".join(["d"] * 80): "x"}, "too deep"),
    ],
)  # fmt: skip
def test_what_is_refused(base, git, files, words):
    write(base, files)
    lines = found(base, git)
    assert any(words in line for line in lines), lines
    assert not all(line.startswith(".dvc/config: differs") for line in lines)


@pytest.mark.parametrize(
    "files",
    [
        {"a": "-> b", "b": "-> conf/names.yaml"},
        {"conf/up": "-> ../conf", "x": "-> conf/up/up/names.yaml"},
        {"dvc.yaml": stage("    wdir: conf\n    deps: [names.yaml]\n    outs: [{../made: {cache: false, persist: true}}]\n")},
        {"dvc.yaml": "vars: [conf/names.yaml, {a: 1}]\nstages:\n  make:\n    foreach: ${names}\n    do:\n      cmd: x\n      outs: ['made/${item}']\n"},
        {"dvc.yaml": stage("    plots: [{p.csv: {cache: false, x: a, y: b}}]\n    params: [seed, {conf/names.yaml: [names]}]\n")},
        {"x.dvc": f"outs: [{{path: x, md5: {MD5}, size: 0, hash: md5}}]\n"},
        {".dvc/plots/one.json": "{}"},
        {"s.dvc": f"outs: [{{path: s, md5: {MD5}}}]\ndeps: [{{path: y, repo: {{url: 'https://git.example.invalid/d', rev_lock: a}}}}]\n"},
    ],
)  # fmt: skip
def test_what_is_fine(base, git, files):
    """Links that stay inside, templates, usual flags, an import that the target branch lists."""
    write(base, files)
    assert found(base, git, imports=("https://git.example.invalid/d",)) == []


def test_what_the_target_branch_holds_is_believed(base, git):
    """The same file as on the target branch is no attack of the commit's; another remote alone is passed over."""
    write(
        base,
        {
            "x.dvc": f"outs: [{{path: x, md5: {MD5}}}]\ndeps: [{{path: y, repo: {{url: /srv/other.git}}}}]\n"
        },
    )
    git(base, "add", "-A")
    git(base, "commit", "-q", "-m", "an import of the team's")
    git(base, "branch", "-f", "trunk")
    write(
        base,
        {
            "notes.md": "x",
            ".dvc/config": "[core]\n    remote = mine\n['remote \"mine\"']\n    url = s3://mine\n",
        },
    )
    assert found(base, git) == [
        ".dvc/config: differs from the target branch's, and is not believed"
    ]


def test_without_a_target_nothing_is_believed(base, git):
    """A commit from outside with no branch to compare with is held to the list all the same."""
    write(
        base,
        {
            ".dvc/config.local": "[core]\n",
            "x.dvc": f"outs: [{{path: x, md5: {MD5}, remote: mine}}]\n",
        },
    )
    found(base, git)
    lines = inspect_commit(base, git(base, "rev-parse", "HEAD"), outside=True)
    assert any("config.local" in line for line in lines)
    assert any("'remote'" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vars: [conf/names.yaml]\nstages:\n  make:\n    cmd: x\n    outs: ['${out}']\n", "leads out"),
        ("vars: [{p: .git}]\nstages:\n  make:\n    cmd: x\n    outs: ['${p}/hooks/post-checkout']\n", ".git/hooks/post-checkout"),
        ("vars: [{p: ['/etc']}]\nstages:\n  make:\n    foreach: ${p}\n    do:\n      cmd: x\n      deps: ['${item}/shadow']\n", "leads out"),
        ("vars: [{p: ../..}]\nstages:\n  make:\n    cmd: x\n    wdir: ${p}\n", "leads out"),
        ("vars: [{p: s3}]\nstages:\n  make:\n    cmd: x\n    deps: ['${p}://bucket/x']\n", "leads out"),
        ("vars: [{p: ../p.yaml}]\nstages:\n  make:\n    cmd: x\n    params: [{'${p}': [a]}]\n", "leads out"),
    ],
)  # fmt: skip
def test_templates_that_lead_out_once_filled_in(base, git, text, words):
    """`${...}` in outs, deps, params and wdir is judged by what it becomes."""
    write(base, {"dvc.yaml": text})
    found(base, git)
    lines = expanded(base, git(base, "rev-parse", "HEAD"), base)
    assert any(words in line for line in lines), lines


@pytest.mark.parametrize("link", [".dvc/config.local", ".dvc"])
def test_nothing_is_written_before_the_look(base, git, tmp_path, link):
    """A tracked link in DVC's place: its target has the bytes that it had, for a trusted commit too."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "config.local").write_text("precious")
    (victim / "config").write_text("precious")
    if link == ".dvc":
        git(base, "rm", "-rq", ".dvc")
        subprocess.run(["rm", "-rf", str(base / ".dvc")], check=True)
    write(base, {link: f"-> {victim if link == '.dvc' else victim / 'config.local'}"})
    found(base, git)
    for untrusted in (False, True):
        outcome = run_ci(base, options=Options(base="trunk", untrusted=untrusted))
        assert [(one.name, one.status) for one in outcome.checks] == [("inspect", "failed")]
    assert {path.read_text() for path in victim.iterdir()} == {"precious"}


PARTS = st.sampled_from(["a", "b", "c", "..", ".", "", ".git", "/"])


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "a/b", "b/c"]), st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(bool)),
       st.lists(PARTS, min_size=1, max_size=5).map("/".join))  # fmt: skip
def test_links_land_where_the_kernel_says(tmp_path_factory, links, path):
    """Against the real thing: what is said to stay inside does so on disk, through any chain of links."""
    root = tmp_path_factory.mktemp("links") / "deep/inside/tree"
    root.mkdir(parents=True)
    made = {}
    for name, target in sorted(links.items()):
        place = root / name
        if any(
            (root / one).is_symlink()
            for one in (Path(name), *Path(name).parents)
            if str(one) != "."
        ):
            continue
        place.parent.mkdir(exist_ok=True)
        if not place.exists():
            place.symlink_to(target)
            made[name] = target
    where = Tree(links=made).lands(path)
    if where is None:
        return
    whole = root / path
    try:
        real = whole.resolve(strict=False)
    except (OSError, RuntimeError):
        return
    assert real.is_relative_to(root.resolve()), (made, path, where, real)
