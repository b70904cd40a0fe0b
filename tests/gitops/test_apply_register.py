"""`furrow apply --register`: the champion becomes a version, last of all, and only if it may."""

import json
from pathlib import Path
from shutil import rmtree

import pytest

from furrow.models.registry import RegistryError, versions
from furrow.plan.apply import Event, Order, apply
from furrow.plan.make_plan import make_plan

from .killing import FURROW
from .small import commit, run
from .whole import FAILED, rate

REGISTER = Order(register=True)


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


@pytest.mark.long
def test_the_champion_is_registered_last(whole: Path) -> None:
    """Registry and online store first, then the version; applied again it is the same version."""
    events: list[Event] = []
    (whole / "build/registry.db").unlink()
    rmtree(whole / "build/online")
    done = apply(whole, REGISTER, watch=events.append)
    assert done.registered == "gbm@v1.0.0"
    assert done.steps == ("registry", "materialize", "register")
    assert [event.name for event in events if event.kind == "done"] == [
        "registry",
        "materialize",
        "register",
    ]
    again = apply(whole, REGISTER, watch=events.append)
    assert (again.registered, again.steps) == ("gbm@v1.0.0", ("register",))
    assert len(versions(whole)) == 1
    assert not make_plan(whole)


def test_stages_first_then_a_commit(whole: Path) -> None:
    """What the stages wrote must be committed before it is registered; all of it is done, and the error says so."""
    rate(whole, 0.7)
    done = run(whole, FURROW, "apply", "--register", check=False)
    assert done.returncode == 1
    assert "nothing is registered" in done.stderr
    assert "furrow apply --register" in done.stderr
    assert versions(whole) == []
    assert not make_plan(whole)
    commit(whole, "another rate")
    value = json.loads(run(whole, FURROW, "apply", "--register", "--json").stdout)
    assert (value["registered"], value["steps"], value["ran"]) == ("gbm@v1.0.0", ["register"], [])


def test_a_gate_that_failed(whole: Path) -> None:
    """A champion that did not pass is not registered; everything before is done."""
    (whole / "conf/gate.yaml").write_text(FAILED)
    apply(whole, Order(), watch=lambda event: None)
    commit(whole, "a stricter gate")
    with pytest.raises(RegistryError, match="has no champion") as caught:
        apply(whole, REGISTER, watch=lambda event: None)
    assert "furrow gate" in caught.value.hint
    assert versions(whole) == []
    assert not make_plan(whole)
