"""What can't be read where somebody pointed to."""

from furrow.errors import FurrowError

__all__ = ["GivenError"]


class GivenError(FurrowError):
    """Nothing can be read where somebody pointed to."""
