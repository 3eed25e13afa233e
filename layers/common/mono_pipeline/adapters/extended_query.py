"""PostgreSQL's extended query protocol on a pg8000 connection: a statement in one write and one round trip.

pg8000's own way takes three round trips, and asks the server to answer every message by itself. Messages as in
PostgreSQL's manual, "Message Formats"; what the server answers is pg8000's to read.
"""

from __future__ import annotations

from itertools import count
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from pg8000 import core
from pg8000.converters import make_param

if TYPE_CHECKING:
    from collections.abc import Iterable

_INT16, _INT32 = Struct("!h").pack, Struct("!i").pack
_NULL = _INT32(-1)
_AS_TEXT = _INT16(0)


class KeptStatement(NamedTuple):
    """A statement that the server has parsed under a name, and what its rows look like."""

    name: bytes
    columns: Any
    input_funcs: Any


class EncodedText(bytes):
    """A parameter of type text that is in UTF-8 already, as a client's encoding here always is."""

    __slots__ = ()


class ExtendedQuery:
    """Runs statements with parameters on one connection; those that are to be kept are parsed and planned once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._kept: dict[str, KeptStatement] = {}
        self._names = count(1)

    def run(self, statement: str, values: Iterable[Any], *, keep: bool = False, begin: bool = False) -> core.Context:
        """Run `statement` (`$1` placeholders); `keep` it for the next time. Raises what pg8000 raises.

        With `begin` a transaction is begun first, in the same round trip.
        """
        ahead = _BEGIN if begin else ()
        kept = self._kept.get(statement)
        if kept is not None:
            context = core.Context(statement, columns=kept.columns, input_funcs=kept.input_funcs)
            self._exchange(context, [*ahead, *self._bind(kept.name, values)])
            return context
        name = b"kept_%d" % next(self._names) if keep else b""  # a name that failed is not taken again
        context = core.Context(statement)
        parse = _message(core.PARSE, name, b"\0", statement.encode(), b"\0", _INT16(0))
        describe = _message(core.DESCRIBE, core.STATEMENT, name, b"\0")
        self._exchange(context, [*ahead, parse, describe, *self._bind(name, values)])
        if keep:
            self._kept[statement] = KeptStatement(name, context.columns, context.input_funcs)
        return context

    def _bind(self, name: bytes, values: Iterable[Any]) -> list[bytes]:
        encoded = [self._encoded(value) for value in values]
        fields = [part for value in encoded for part in ((_NULL,) if value is None else (_INT32(len(value)), value))]
        return [
            _message(core.BIND, b"\0", name, b"\0", _AS_TEXT, _INT16(len(encoded)), *fields, _AS_TEXT),
            core.EXECUTE_MSG,
        ]

    def _encoded(self, value: Any) -> bytes | None:
        if value is None or isinstance(value, EncodedText):
            return value
        spelled = make_param(self._connection.py_types, value)
        return None if spelled is None else spelled.encode()

    def _exchange(self, context: core.Context, messages: Iterable[bytes]) -> None:
        self._send(b"".join((*messages, core.SYNC_MSG)))
        self._connection.handle_messages(context)

    def _send(self, message: bytes) -> None:
        """In a frame of its own: an error of the server keeps the frame it came through, and with it what is in it."""
        socket = self._connection._sock  # noqa: SLF001 - pg8000 has no other way to its socket
        if socket is None:
            raise core.InterfaceError("connection is closed")
        core._write(socket, message)  # noqa: SLF001 - it says which errors are the network's
        core._flush(socket)  # noqa: SLF001 - as above


def _message(code: bytes, *parts: bytes) -> bytes:
    return b"".join((code, _INT32(4 + sum(map(len, parts))), *parts))


_BEGIN = (
    _message(core.PARSE, b"\0BEGIN\0", _INT16(0)),
    _message(core.BIND, b"\0\0", _AS_TEXT, _INT16(0), _AS_TEXT),
    core.EXECUTE_MSG,
)
