"""All lines of a pre-flight, in the order in which one would put them right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from monoctl.exit_code import ExitCode
from monoctl.failure import EXPLAINED, explain
from monoctl.preflight import alert_lines, deployment_lines, function_lines, secret_lines, webhook_lines
from monoctl.preflight.line import Found, Line, State, cannot_tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monoctl.preflight.grounds import Grounds

    type Check = Callable[[Grounds], Found]

CHECKS: Final[dict[str, Check]] = {
    "MONO_SECRET_KEY": secret_lines.mono_key,
    "MONO_WEBHOOK_SECRET": secret_lines.webhook_secret,
    "settings": function_lines.settings,
    "MONO_APP_ID": function_lines.app_id,
    "Mono": function_lines.mono,
    "flag": function_lines.flag,
    "database": function_lines.database,
    "migrations": function_lines.migrations,
    "queues": deployment_lines.queues,
    "schedules": deployment_lines.schedules,
    "webhook refuses": webhook_lines.refuses,
    "webhook arrives": webhook_lines.arrives,
    "webhook URL": webhook_lines.registration,
    "alert rules": alert_lines.rules,
    "exporters": alert_lines.exporter,
    "dead letters": deployment_lines.dead_letters,
    "rollback target": deployment_lines.rollback_target,
}


def preflight(grounds: Grounds) -> Iterator[Line]:
    """Look at everything; what cannot be looked at is a line too."""
    for name, check in CHECKS.items():
        found = _found(check, grounds)
        yield Line(name=name, state=found.state, says=found.says, fix=found.fix)


def exit_code(lines: Sequence[Line]) -> ExitCode:
    """Return 0 only when all passed; else whether something failed, or only cannot be told."""
    states = {line.state for line in lines}
    if State.FAIL in states:
        return ExitCode.DOWN
    return ExitCode.CANNOT_TELL if State.CANNOT_TELL in states else ExitCode.AS_PROMISED


def _found(check: Check, grounds: Grounds) -> Found:
    try:
        return check(grounds)
    except EXPLAINED as error:
        return cannot_tell(explain(error).sentence, "put that right, then look again")
    except httpx.HTTPError as error:
        return cannot_tell(str(error), "put that right, then look again")
