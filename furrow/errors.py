"""The root error: every failure that Furrow knows says what failed, where, and what to do next."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself would double the time that a list of runs takes
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileError", "FurrowError", "MissingExtraError", "UsageError"]


class FurrowError(Exception):
    """A known failure.

    Args:
        message: What failed and where: the file, the field and the value.
        hint: The next step for the person at the terminal; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(FurrowError):
    """The command was called with words that do not fit together."""

    exit_code = 2


class FileError(FurrowError):
    """A file is missing, unreadable, malformed, or outside the folder it must stay in."""

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class MissingExtraError(FurrowError):
    """What was asked for needs packages that not every installation has.

    Args:
        extra: The extra of furrow's that brings them.
        what: What needs it, such as "a Dask cluster".
    """

    def __init__(self, extra: str, what: str) -> None:
        from furrow.installed_from import install_command  # noqa: PLC0415 - for who meets it

        super().__init__(
            f"{what} needs the extra {extra!r}", hint=f"install it: {install_command(extra)}"
        )
        self.extra = extra
