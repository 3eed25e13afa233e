"""`monoctl preflight`: everything that must hold before a release, a line each."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mono_pipeline import __version__
from mono_pipeline.core.release import ReleaseEventKind
from monoctl.commands.secrets import has_terminal
from monoctl.preflight.checks import exit_code, preflight
from monoctl.preflight.grounds import Grounds
from monoctl.preflight.line import Line, State
from monoctl.release_record import record_in
from monoctl.session import Session
from monoctl.views.preflight import preflight_view

type Row = dict[str, Any]


def check(
    context: typer.Context,
    *,
    confirm_webhook_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="What Mono's dashboard has as webhook URL; without it a terminal is asked."),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(envvar="MONOCTL_PROMETHEUS", metavar="URL", help="Where Prometheus answers.")
    ] = None,
    first_release: Annotated[
        bool, typer.Option("--first-release", help="There is no earlier version of the code to go back to.")
    ] = False,
    release: Annotated[
        str | None, typer.Option(metavar="ID", help="Record it in this release; else in the one that is open, if any.")
    ] = None,
) -> None:
    """Look at everything that must hold before a release; exit 0 only if all of it does."""
    session = Session.of(context)
    grounds = Grounds(
        environment=session.environment,
        ops=session.reach.ops,
        parameters=session.reach.parameters,
        deployment=session.reach.deployment,
        prometheus=prometheus or session.reach.prometheus,
        confirmed_url=confirm_webhook_url or _asked(session),
        first_release=first_release,
        monotonic=session.wiring.monotonic,
        pause=session.wiring.pause,
    )
    lines: list[Line] = []
    with session.output.progress("looking at everything that must hold") as say:
        for line in preflight(grounds):
            lines.append(line)
            say(f"{line.name}: {line.state}")
    recorded = _record(session, release, lines)
    document = {"passed": not exit_code(lines), "lines": [asdict(line) for line in lines], "recorded_in": recorded}
    session.output.result(document, *preflight_view(lines))
    raise typer.Exit(exit_code(lines))


def _asked(session: Session) -> str | None:
    """The URL, where somebody at a terminal says that Mono's dashboard has it."""
    if session.output.machine or not has_terminal():
        return None
    url = session.reach.deployment.webhook_url
    session.output.note(f"Mono's dashboard must have exactly this as webhook URL:\n  {url}")
    return url if typer.confirm("Has it?", err=True) else None


def _record(session: Session, release: str | None, lines: list[Line]) -> str | None:
    """Write down what was found, and a confirmation with it; return the release's id, None where none is open."""
    ops, who = session.reach.ops, session.reach.who
    if release is not None:
        words = {"version": __version__, "reason": "pre-flight"}
        release_id = str(ops.ask("releases.begin", release_id=release, actor=who, **words)["release"]["id"])
    else:
        newest: list[Row] = ops.ask("releases.list", limit=1)["releases"]
        if not newest or newest[0]["status"] != "open":
            session.output.note("Recorded in no release: none is open, and none was named (--release ID).")
            return None
        release_id = str(newest[0]["id"])
    found = {"passed": not exit_code(lines), "lines": [asdict(line) for line in lines]}
    record_in(session, release_id, ReleaseEventKind.PREFLIGHT_CHECKED, found)
    (confirmed,) = (line for line in lines if line.name == "webhook URL")
    if confirmed.state is State.PASS:
        detail = {"url": session.reach.deployment.webhook_url}
        record_in(session, release_id, ReleaseEventKind.WEBHOOK_CONFIRMED, detail)
    return release_id
