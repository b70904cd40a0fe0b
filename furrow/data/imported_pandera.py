"""pandera, without what its import leaves in the environment.

It tells Arrow, by PYARROW_IGNORE_TIMEZONE, to read the clock of a datetime and not its zone, for
the rest of the process and for all that it starts: times of other zones would be hours off.
"""

from __future__ import annotations

import os

_LEFT = ("PYARROW_IGNORE_TIMEZONE", "SPARK_LOCAL_IP")
_before = {name: os.environ.get(name) for name in _LEFT}

import pandera.pandas as pandera  # noqa: E402 - the environment is remembered first

__all__ = ["pandera"]

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value
