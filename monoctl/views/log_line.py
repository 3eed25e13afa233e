"""A log event as one line: time, level, function, event, account, and whatever else it says."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monoctl.logbook import LogLine

# What the line shows elsewhere, and what says where in the code it was written.
_SHOWN_ELSEWHERE: Final = frozenset({"timestamp", "level", "message", "account_id"})
_NOISE: Final = frozenset(
    {
        "location",
        "service",
        "cold_start",
        "function_arn",
        "function_memory_size",
        "function_name",
        "function_request_id",
        "xray_trace_id",
    }
)
_LEVELS: Final = {"DEBUG": "dim", "INFO": "cyan", "WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}
_NO_TIME: Final = " " * 18


def log_line_view(line: LogLine) -> Text:
    """Return a line for people. Control characters are escaped: a log cannot write to the terminal."""
    time = f"{line.at.astimezone(UTC):%m-%d %H:%M:%S.%f}"[:18] if line.at else _NO_TIME
    if not line.is_event or line.fields is None:
        return Text.assemble((f"{time} ", "dim"), f"{line.source} ", (_plain(line.text), "dim"))
    fields = line.fields
    level = _plain(fields.get("level", "INFO"))
    view = Text.assemble((f"{time} ", "dim"), (f"{level:<7} ", _LEVELS.get(level, "")), f"{line.source} ")
    view.append(_plain(fields["message"]), style="bold")
    if "account_id" in fields:
        view.append(f" {_plain(fields['account_id'])}", style="magenta")
    for name, value in _others(fields):
        view.append(f" {name}=", style="dim").append(value)
    return view


def machine_line(line: LogLine) -> str:
    """Return a line as JSON: an object as it was written, any other line as an object's `message`."""
    return line.text if line.fields is not None else json.dumps({"source": line.source, "message": line.text})


def _others(fields: Any) -> Iterator[tuple[str, str]]:
    hidden = _SHOWN_ELSEWHERE | _NOISE
    return ((_plain(name), _plain(value)) for name, value in fields.items() if name not in hidden)


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(text)
