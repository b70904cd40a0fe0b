"""Floats inside protobuf messages in their one form; see `furrow.stores.floats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor

from furrow.stores.floats import canonical

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["settle_floats"]

_FLOATS = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}


def settle_floats(message: Message) -> None:
    """Give every float of a message, at any depth, its one form, in place."""
    for field, held in message.ListFields():
        many = field.is_repeated
        if field.type in _FLOATS:
            if many:
                held[:] = canonical(list(held))
            else:
                setattr(message, field.name, canonical(held))
        elif field.message_type is None:
            continue
        elif not many:
            settle_floats(held)
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for part in held.values():
                    settle_floats(part)
        else:
            for part in held:
                settle_floats(part)
