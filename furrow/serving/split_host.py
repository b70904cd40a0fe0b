"""A host beside whose main version a canary answers for some entities, and a shadow for none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.serving.canary_assignment import is_canary, place_of
from furrow.serving.model_host import Host, Loaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.serving.canary_spec import Canary, Shadow
    from furrow.serving.canary_watch import Tally

__all__ = ["SplitHost"]


@dataclass(frozen=True)
class _Beside:
    canary: Loaded | None
    spec: Canary | None
    shadow: Loaded | None
    shadow_share: float
    tally: Tally | None


class SplitHost(Host):
    """A host that divides requests as a deployment declares; arguments as those of `Host`."""

    _beside_of: dict[str, _Beside] | None = None

    def beside(
        self,
        name: str,
        canary: Loaded | None,
        spec: Canary | None,
        *,
        shadow: Loaded | None = None,
        shadow_spec: Shadow | None = None,
        tally: Tally | None = None,
    ) -> None:
        """Set what answers beside a model from now on.

        Args:
            name: The model's.
            canary: For some entities; None for none.
            spec: For which.
            shadow: For nobody; None for none.
            shadow_spec: For which share of requests.
            tally: Counts what comes of requests.
        """
        made = _Beside(canary, spec, shadow, shadow_spec.share if shadow_spec else 1.0, tally)
        self._beside_of = {**(self._beside_of or {}), name: made}

    def split(
        self, name: str, rows: Sequence[Mapping[str, Any]]
    ) -> list[tuple[Loaded, Sequence[int]]]:
        """Which version answers which rows.

        The canary for its entities, the main version for the others.

        Raises:
            UnknownModelError, FurrowError: As `current`.
        """
        main = self.current(name)
        beside = (self._beside_of or {}).get(name)
        if beside is None or beside.canary is None or beside.spec is None or not beside.spec.share:
            return [(main, range(len(rows)))]
        keys = [field.name for field in main.scorer.fields.fields.values() if field.role == "key"]
        theirs = [
            is_canary(beside.spec, {key: row.get(key) for key in keys} | _by(beside.spec, row))
            for row in rows
        ]
        parts = (
            (main, [place for place, one in enumerate(theirs) if not one]),
            (beside.canary, [place for place, one in enumerate(theirs) if one]),
        )
        return [(loaded, places) for loaded, places in parts if places]

    def shadow(self, name: str, identity: str) -> Loaded | None:
        """The version that answers a request for the log alone.

        None where none does, or for this one not.

        Args:
            name: The model's.
            identity: Of the request: its first prediction's id.
        """
        beside = (self._beside_of or {}).get(name)
        if beside is None or beside.shadow is None:
            return None
        chosen = place_of("shadow", {"id": identity}) < beside.shadow_share
        return beside.shadow if chosen else None

    def count(self, name: str, variant: str, **came_of: Any) -> None:
        """Count what came of requests, for the canary's sake; arguments as those of `Tally.add`."""
        beside = (self._beside_of or {}).get(name)
        if beside is not None and beside.tally is not None:
            beside.tally.add(variant, **came_of)


def _by(spec: Canary, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in spec.by}
