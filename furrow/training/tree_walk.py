"""Trees walked for a few rows.

Treelite's own GTIL through its C interface, without what its Python does for each call.

For one row the wrapper takes three times as long as the walk: it writes its settings as JSON,
parses them, and asks for types and shapes. Here all of that is asked once. The function that
computes is the same (`TreeliteGTILPredict`), and so are the bits.
"""

from __future__ import annotations

import ctypes
import math
import struct
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any

import treelite
import treelite.core

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TreeWalk"]

DOUBLE = "float64"
_SETTINGS = b'{"predict_type": "raw", "nthread": 1}'
_TYPES: dict[str, list[Any]] = {
    "TreeliteGTILParseConfig": [ctypes.c_char_p, ctypes.c_void_p],
    "TreeliteGTILDeleteConfig": [ctypes.c_void_p],
    "TreeliteGTILGetOutputShape": [
        ctypes.c_void_p,
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ],
    "TreeliteGTILPredict": [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ],
}


class TreeWalk:
    """A model's trees, ready to be walked. It serves any number of threads.

    The interpreter's lock is kept meanwhile: for some microseconds that is cheaper than to have it
    back from a thread that works.

    Args:
        model: The trees. A walk keeps them alive.
    """

    def __init__(self, model: treelite.Model) -> None:
        self.columns = int(model.num_feature)
        self._model = model
        config = ctypes.c_void_p()
        _call("TreeliteGTILParseConfig", _SETTINGS, ctypes.byref(config))
        weakref.finalize(self, _function("TreeliteGTILDeleteConfig"), config)
        self._handles = model.handle, config
        self._pack = struct.Struct(f"{self.columns}d").pack
        self._answer = ctypes.c_double * math.prod(_output_shape(model, config))
        self._predict = _function("TreeliteGTILPredict")

    @classmethod
    def of(cls, model: treelite.Model) -> TreeWalk | None:
        """A walk; None of trees that don't take and give doubles."""
        doubles = model.input_type == DOUBLE and model.output_type == DOUBLE
        return cls(model) if doubles else None

    def scores(self, row: Sequence[float]) -> list[float]:
        """One row's scores, from the first tree to the last.

        Args:
            row: As many numbers as the model has columns.

        Raises:
            struct.error: There are more, or fewer.
            treelite.TreeliteError: The library refuses.
        """
        found = self._answer()
        model, config = self._handles
        if self._predict(model, self._pack(*row), b"float64", 1, found, config):
            raise treelite.TreeliteError("the trees can't be walked")
        return found[:]


def _output_shape(model: treelite.Model, config: ctypes.c_void_p) -> list[int]:
    """The shape of one row's answer."""
    shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    about = ctypes.byref(shape), ctypes.byref(dimensions)
    _call("TreeliteGTILGetOutputShape", model.handle, 1, config, *about)
    return [int(shape[place]) for place in range(dimensions.value)]


def _call(name: str, *arguments: Any) -> None:
    if _function(name)(*arguments):
        raise treelite.TreeliteError(f"{name} failed")


@cache
def _function(name: str) -> Any:
    """A function of the library that treelite has loaded, with its types."""
    found = getattr(ctypes.PyDLL(treelite.core._LIB._name), name)
    found.argtypes, found.restype = _TYPES[name], ctypes.c_int
    return found
