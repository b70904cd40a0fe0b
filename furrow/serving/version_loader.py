"""Loading versions in a process: opened by hash, warmed up, then swapped in.

The one before stays.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.serving.canary_watch import Tally
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import Followed, Hold, Local, Wanted, wanted
from furrow.serving.follow_settings import one_line
from furrow.serving.model_host import Host, Loaded
from furrow.serving.prediction_record import new_id
from furrow.serving.scorer import Scorer, StalePolicy
from furrow.serving.split_host import SplitHost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.serving.deployment_spec import Deployment

__all__ = ["Loader"]

_KEPT = 4
"""Versions that stay in memory: main, canary, shadow and the one to go back to."""


class Loader:
    """What one process serves.

    Args:
        host: Where versions are swapped.
        name: Under which the model is asked for.
        features: The features folder.
        state: The state folder.
    """

    def __init__(self, host: Host, name: str, features: Path, state: Path) -> None:
        self.problem = ""
        """Why what is wanted is not served; empty where it is."""
        self._host = host
        self._name = name
        self._features = features
        self._state = state
        self._tally: tuple[str, Tally] | None = None
        self._kept: OrderedDict[tuple[str, str, str], Scorer] = OrderedDict()
        self._served: tuple[Local | None, ...] = ()

    def serve(self, followed: Followed, holds: Mapping[str, Hold]) -> None:
        """Serve what is known and decided; what fails changes nothing, and is in `problem`."""
        if followed.main is None:
            return
        now = wanted(followed, dict(holds))
        try:
            declared = parse_deployment(followed.declared.encode(), "the deployment")
            self._keep_ready(followed, declared)
            if now.main is not None and now.main != (self._served or (None,))[0]:
                self._host.swap(self._name, self._loaded(now.main, declared, "main"))
            self._beside(now, declared)
            self._served = (now.main, now.canary, now.shadow)
            self.problem = ""
        except (FurrowError, OSError) as exc:
            self.problem = one_line(exc)

    def _keep_ready(self, followed: Followed, declared: Deployment) -> None:
        """Have the version before in memory: a rollback waits for nothing."""
        if followed.previous is not None and Path(followed.previous.folder).is_dir():
            try:
                self._scorer(followed.previous, declared)
            except FurrowError:
                return  # it is told when somebody wants to go back to it

    def write_counts(self) -> None:
        """Let what came of requests be seen by whoever decides about the canary."""
        if self._tally is not None:
            with suppress(OSError, FurrowError):
                self._tally[1].write()

    def _beside(self, now: Wanted, declared: Deployment) -> None:
        canary, shadow = now.canary, now.shadow
        if not isinstance(self._host, SplitHost):
            return
        self._host.beside(
            self._name,
            None if canary is None else self._loaded(canary, declared, "canary"),
            declared.canary,
            shadow=None if shadow is None else self._loaded(shadow, declared, "shadow"),
            shadow_spec=declared.shadow,
            tally=self._counting(now, declared),
        )

    def _counting(self, now: Wanted, declared: Deployment) -> Tally | None:
        """What counts for what is judged as it is declared; the same one for as long as it is."""
        tried, digest = declared.tried, declared.canary_digest
        if tried is None or (now.shadow if tried.variant == "shadow" else now.canary) is None:
            return None
        if self._tally is None or self._tally[0] != digest:
            slow = tried.spec.abort.slow_us
            made = Tally(self._state, new_id(), digest, slow_us=slow, variant=tried.variant)
            self._tally = (digest, made)
        return self._tally[1]

    def _loaded(self, local: Local, declared: Deployment, variant: str) -> Loaded:
        scorer = self._scorer(local, declared)
        return Loaded(scorer, self._name, local.version, local.commit, variant)

    def _scorer(self, local: Local, declared: Deployment) -> Scorer:
        """A version's scorer, opened and warmed up once."""
        stale = StalePolicy(declared.features_stale.action, dict(declared.features_stale.defaults))
        key = (local.folder, local.model_sha256, repr(stale))
        found = self._kept.get(key)
        if found is None:
            found = Scorer.open(
                Path(local.folder),
                self._features,
                stale=stale,
                model_sha256=local.model_sha256,
                predictor_sha256=local.predictor_sha256 or None,
            )
            row = found.bundle.background.head(1).to_dict("list")
            found.score_features([{str(name): values[0] for name, values in row.items()}])
            self._kept[key] = found
            while len(self._kept) > _KEPT:  # one that still answers is closed when nobody holds it
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found
