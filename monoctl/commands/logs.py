"""`monoctl logs`: what the functions say, one event a line."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from monoctl.logbook import LogLine, LogQuery
from monoctl.session import Session
from monoctl.views.log_line import log_line_view, machine_line

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")


def logs(
    context: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only what names this account.")] = None,
    correlation_id: Annotated[str | None, typer.Option(help="Only what belongs to this request.")] = None,
    since: Annotated[str | None, typer.Option(help="How far back: 90s, 15m, 2h, 1d.", show_default="1h")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written next; Ctrl-C ends it.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="The runtime's own lines and metrics too.")] = False,
) -> None:
    """Show the log events of all functions, oldest first."""
    session = Session.of(context)
    query = LogQuery(
        since=session.wiring.now() - _back(since or ("1m" if follow else "1h")),
        account_id=account,
        correlation_id=correlation_id,
        everything=everything,
    )
    if not follow:
        with session.output.progress("reading logs"):
            lines = list(session.reach.logs.past(query))
        _write(session, lines)
        if not lines:
            session.output.note("No such event in that time: --since looks further back, --all shows every line.")
        return
    try:
        _write(session, session.reach.logs.follow(query))
    except KeyboardInterrupt:  # how one stops following
        return


def _write(session: Session, lines: Iterable[LogLine]) -> None:
    for line in lines:
        if session.output.machine:
            session.output.raw(machine_line(line))
        else:
            session.output.line(log_line_view(line))


def _back(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InvalidInput("--since", f"{text[:20]!r} is no span of time; write it as 90s, 15m, 2h or 1d")
    return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
