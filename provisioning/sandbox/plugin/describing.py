"""Build message classes out of tables, so that nothing has to be generated or shipped.

Only names and numbers matter on the wire.  A table gives each message its fields in the
order of their numbers: name, type, and `*` when repeated; a map is a repeated pair.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Table = Mapping[str, tuple[tuple[str, str], ...]]

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _TYPES.TYPE_STRING,
    "bool": _TYPES.TYPE_BOOL,
    "int32": _TYPES.TYPE_INT32,
    "int64": _TYPES.TYPE_INT64,
}


class Messages:
    """The messages of one package."""

    def __init__(self, package: str, table: Table) -> None:
        file = descriptor_pb2.FileDescriptorProto(
            name=f"npu_farm/{package}.proto", package=package, syntax="proto3"
        )
        file.message_type.extend(_described(package, name, table[name]) for name in table)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.package = package
        self._classes = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
            for name in table
        }

    def message(self, name: str, /, **fields: Any) -> Any:
        """A message by its name, filled."""
        return self._classes[name](**fields)

    def decoder(self, name: str) -> Any:
        """What turns bytes off the wire into a message."""
        return self._classes[name].FromString


def encode(sent: Any) -> bytes:
    """The bytes of a message."""
    encoded: bytes = sent.SerializeToString()
    return encoded


def _described(
    package: str, name: str, fields: tuple[tuple[str, str], ...]
) -> descriptor_pb2.DescriptorProto:
    described = descriptor_pb2.DescriptorProto(name=name)
    for number, (field, type_) in enumerate(fields, start=1):
        repeated, plain = type_.endswith("*"), type_.rstrip("*")
        added = described.field.add(name=field, number=number)
        added.label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
        if plain in _SCALARS:
            added.type = _SCALARS[plain]
        else:
            added.type, added.type_name = _TYPES.TYPE_MESSAGE, f".{package}.{plain}"
    return described
