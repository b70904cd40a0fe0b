"""The contract of raw data: a YAML file, read strictly into frozen values."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from furrow.data.file_periods import period_in
from furrow.errors import FurrowError
from furrow.files import sha256_json
from furrow.parse import ParseError, read_yaml

__all__ = [
    "OR_NULL",
    "Bounds",
    "Clock",
    "Column",
    "Contract",
    "ContractError",
    "Coverage",
    "Fresh",
    "Partitions",
    "Reference",
    "Share",
    "Table",
    "contract_digest",
    "digest_of",
    "load_contract",
]

Scalar = int | float | str | datetime
Kind = Literal["string", "int32", "int64", "float64", "timestamp", "bool"]
OR_NULL = "_or_null"


class ContractError(FurrowError):
    """A contract file is missing, is not YAML, or says something that means nothing."""

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class _Strict(BaseModel):
    """A frozen part of the contract.

    A key that it does not know is an error that suggests the right one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            unknown = [_unknown(str(key), known) for key in value if key not in known]
            if unknown:
                raise PydanticCustomError("unknown_key", "{said}", {"said": "; ".join(unknown)})
        return value


class Bounds(_Strict):
    """The least and the most of a number; either may be left open."""

    min: float | None = None
    max: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class Column(_Strict):
    """What a column holds.

    `known` are values outside of the range that the source is known to hold. `unit`, `description`
    and `plausible` are for people: what lies outside of `plausible` is told, and breaks nothing.
    """

    type: Kind
    nullable: bool = False
    min: Scalar | None = None
    max: Scalar | None = None
    known: tuple[Scalar, ...] = Field(default=(), strict=False)
    allowed: tuple[Scalar, ...] | None = Field(default=None, strict=False)
    pattern: str | None = None
    unit: str = Field(default="", max_length=40)
    description: str = Field(default="", max_length=1000)
    plausible: Bounds | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        """The engine's own answer (RE2's, whose time grows with the text and no faster)."""
        try:
            pc.match_substring_regex(pa.array([""]), value or "")
        except pa.ArrowInvalid as exc:
            said = str(exc).removeprefix("Invalid regular expression: ")
            raise PydanticCustomError(
                "pattern", "{said}", {"said": f"not a regular expression of RE2's: {said}"}
            ) from exc
        return value

    @model_validator(mode="after")
    def _fits_type(self) -> Column:
        fits: tuple[type, ...] = {"string": (str,), "timestamp": (datetime,), "bool": (bool,)}.get(
            self.type, (int, float)
        )
        given = {
            "min": (self.min,),
            "max": (self.max,),
            "known": self.known,
            "allowed": self.allowed or (),
        }
        for key, values in given.items():
            for value in values:
                if value is not None and not isinstance(value, fits):
                    said = f"{key}: {value!r} is not a {self.type}"
                    raise PydanticCustomError("value", "{said}", {"said": said})
                if isinstance(value, datetime) and value.tzinfo is None:
                    raise PydanticCustomError(
                        "value", "{said}", {"said": f"{key}: {value} needs a zone, as in ...Z"}
                    )
        if self.plausible is not None and self.type not in ("int32", "int64", "float64"):
            raise PydanticCustomError(
                "value", "{said}", {"said": f"plausible: a {self.type} has no such range"}
            )
        if self.pattern is not None and self.type != "string":
            raise PydanticCustomError(
                "value", "{said}", {"said": f"pattern: a {self.type} has none"}
            )
        return self


class Reference(_Strict):
    """Where a column's values must be found: `to` is table.column."""

    to: str
    except_: tuple[str, ...] = Field(default=(), alias="except", strict=False)
    missing_share: float = Field(default=0.0, ge=0, le=1, strict=False)

    @property
    def table(self) -> str:
        """The table referred to."""
        return self.to.partition(".")[0]

    @property
    def column(self) -> str:
        """The column referred to."""
        return self.to.partition(".")[2]


class Share(Bounds):
    """The share of a partition's rows for which a condition in SQL is true."""

    of: str


class Partitions(_Strict):
    """What holds for each partition: rows, the share of nulls by column, and shares by name."""

    rows: Bounds = Bounds()
    null_share: dict[str, Bounds] = {}
    share: dict[str, Share] = {}


class Fresh(_Strict):
    """The newest value of a column lies no longer than this before the end of the newest partition."""

    column: str
    within_hours: float = Field(gt=0, strict=False)


class Coverage(_Strict):
    """For every row of another table there is one of this table, no older than this."""

    table: str
    by: tuple[str, ...] = Field(strict=False)
    at: str
    within_hours: float = Field(gt=0, strict=False)
    missing_share: float = Field(default=0.0, ge=0, le=1, strict=False)


class Table(_Strict):
    """A table: its files, columns and rules.

    `{month}` in `files`, or another period, means one file for each. `types` names columns of which
    nothing but their type is said, by that: `int64: [a, b]`, `string_or_null: [c]` where some rows have none.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        populate_by_name=True,
        json_schema_extra=lambda schema: schema.pop("required", None),
    )

    files: str
    types: dict[str, list[str]] = Field(default={}, exclude=True, repr=False)
    columns: dict[str, Column] = Field(min_length=1)
    partition_by: str | None = None
    unique: tuple[str, ...] = Field(default=(), strict=False)
    references: dict[str, Reference] = {}
    rules: dict[str, str] = {}
    rows: Bounds = Bounds()
    by_partition: Partitions = Partitions()
    fresh: Fresh | None = None
    covers: Coverage | None = None

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, value: Any) -> Any:
        """`by_month` is what `by_partition` was called when months were the only period."""
        if isinstance(value, dict) and "by_month" in value and "by_partition" not in value:
            return {
                ("by_partition" if key == "by_month" else key): part for key, part in value.items()
            }
        return value

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, value: Any) -> Any:
        """The columns that `types` names, beside those of `columns`."""
        named = value.get("types") if isinstance(value, dict) else None
        if not isinstance(named, dict) or not all(isinstance(one, list) for one in named.values()):
            return value
        columns = dict(value.get("columns") or {})
        for said, names in named.items():
            kind = str(said).removesuffix(OR_NULL)
            if kind not in get_args(Kind):
                raise PydanticCustomError(
                    "type",
                    "{said}",
                    {"said": f"types: {_unknown(kind, list(get_args(Kind)), what='type')}"},
                )
            for name in names:
                if name in columns:
                    raise PydanticCustomError(
                        "twice", "{said}", {"said": f"types: the column {name!r} comes twice"}
                    )
                columns[name] = {"type": kind, "nullable": kind != said}
        return {**value, "columns": columns}

    @field_validator("files")
    @classmethod
    def _known_period(cls, value: str) -> str:
        try:
            period_in(value)
        except ValueError as exc:
            raise PydanticCustomError("files", "{said}", {"said": str(exc)}) from exc
        return value

    @property
    def period(self) -> str | None:
        """What its files are cut by, such as "month"; None where it is one file."""
        return period_in(self.files)


class Clock(_Strict):
    """On whose clocks a partition is a day or a month, and when "now" is."""

    timezone: str
    as_of: Literal["newest_partition"] | datetime = "newest_partition"
    slack_hours: float = Field(default=0, ge=0, strict=False)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise PydanticCustomError(
                "zone", "{said}", {"said": f"no time zone {value!r}"}
            ) from exc
        return value


class Contract(_Strict):
    """The whole contract.

    `files` is where the files of a table are that says nothing of them: landed/{table}.parquet.
    """

    format: Literal[1]
    clock: Clock
    files: str = Field(default="", exclude=True, repr=False)
    tables: dict[str, Table] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _usual_files(cls, value: Any) -> Any:
        """Tables that say nothing of their files have them where the contract says for all."""
        usual = value.get("files") if isinstance(value, dict) else None
        tables = value.get("tables") if isinstance(value, dict) else None
        if not isinstance(usual, str) or not isinstance(tables, dict):
            return value
        named = {
            name: {"files": usual.replace("{table}", str(name)), **table}
            if isinstance(table, dict)
            else table
            for name, table in tables.items()
        }
        return {**value, "tables": named}

    @model_validator(mode="after")
    def _names_exist(self) -> Contract:
        wrong: list[str] = []
        for name, table in self.tables.items():
            for where, owner, column in _mentions(name, table):
                if owner not in self.tables:
                    wrong.append(
                        f"tables.{name}.{where}: {_unknown(owner, list(self.tables), what='table')}"
                    )
                elif column and column not in self.tables[owner].columns:
                    columns = list(self.tables[owner].columns)
                    wrong.append(
                        f"tables.{name}.{where}: {_unknown(column, columns, what='column')}"
                    )
            path = Path(table.files)
            if path.is_absolute() or ".." in path.parts:
                wrong.append(f"tables.{name}.files: {table.files!r} leads out of the data folder")
        if wrong:
            raise PydanticCustomError("names", "{said}", {"said": "\n".join(wrong)})
        return self


def _mentions(name: str, table: Table) -> list[tuple[str, str, str]]:
    """Every table and column that a table's rules speak of: (where, table, column)."""
    found = [("unique", name, column) for column in table.unique]
    found += [("by_partition.null_share", name, column) for column in table.by_partition.null_share]
    found += [("partition_by", name, table.partition_by)] if table.partition_by else []
    found += [("fresh.column", name, table.fresh.column)] if table.fresh else []
    for column, reference in table.references.items():
        found += [
            ("references", name, column),
            (f"references.{column}.to", reference.table, reference.column or "?"),
        ]
    if table.covers:
        found += [
            ("covers.table", table.covers.table, ""),
            ("covers.at", table.covers.table, table.covers.at),
        ]
        found += [
            ("covers.by", owner, column)
            for column in table.covers.by
            for owner in (name, table.covers.table)
        ]
    return found


def _unknown(word: str, known: list[str], *, what: str = "key") -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"unknown {what} {word!r}" + (
        f", did you mean {close[0]!r}?" if close else f" (known: {', '.join(known)})"
    )


class _Loader(yaml.SafeLoader):
    """YAML in which a key that comes twice is an error, as it would quietly hide the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing a key that comes twice."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} comes twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load_contract(path: Path) -> Contract:
    """Read a contract.

    Raises:
        ContractError: The file is missing, is not YAML, or holds a key or value that it can't; all
            are named at once.
    """
    try:
        value = read_yaml(path, loader=_Loader)
    except OSError as exc:
        hint = "name another with --contract, or restore it from Git"
        raise ContractError(
            f"cannot read the contract {path}: {exc.strerror}", path=path, hint=hint
        ) from exc
    except ParseError as exc:
        raise ContractError(str(exc), path=path) from exc
    try:
        return Contract.model_validate(value)
    except ValidationError as exc:
        lines = [_said(error) for error in exc.errors(include_url=False)]
        raise ContractError(
            f"{path}: " + "\n  ".join(lines), path=path, hint="correct the contract, then run again"
        ) from exc


def _said(error: ErrorDetails) -> str:
    """One line for one error, at the key it is about."""
    place = ".".join(str(part) for part in error["loc"])
    message, given = error["msg"], error.get("input")
    if error["type"] == "literal_error" and isinstance(given, str):
        expected = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        message = _unknown(given, expected, what="value")
    return f"{place}: {message}" if place else message


def contract_digest(path: Path) -> str:
    """The sha256 of what the contract of a file says.

    Raises:
        ContractError: The file is not a contract.
    """
    return digest_of(load_contract(path))


def digest_of(contract: Contract) -> str:
    """The sha256 of what a contract says.

    Comments, white space, the order of keys and spelt-out defaults don't matter, and what is only
    for people does not, either.
    """
    columns = {"__all__": {"unit", "description", "plausible"}}
    said = contract.model_dump(
        mode="json", by_alias=True, exclude={"tables": {"__all__": {"columns": columns}}}
    )
    return sha256_json(said)
