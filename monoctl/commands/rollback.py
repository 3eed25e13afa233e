"""`monoctl rollback`: everybody out, proven, and told."""

import sys
from typing import Annotated, Any

import typer

from monoctl.alert_states import AlertStates
from monoctl.environment import EnvironmentName
from monoctl.exit_code import ExitCode
from monoctl.flag_road import flag_editor, reason_for
from monoctl.release_terms import PrometheusOption, ReasonOption, ReleaseOption
from monoctl.rollback_walk import RollbackEnd, RollbackWalk
from monoctl.session import Session
from monoctl.status_note import status_note
from monoctl.views.rollback import rollback_document, rollback_view

type Row = dict[str, Any]

PATIENCE_SECONDS = 120.0


def rollback(
    context: typer.Context,
    *,
    reason: ReasonOption = None,
    release: ReleaseOption = None,
    prometheus: PrometheusOption = None,
    clear_dead_letters: Annotated[
        bool | None,
        typer.Option(
            "--clear-dead-letters/--keep-dead-letters", help="Do not ask what to do with mono.fetch.* letters."
        ),
    ] = None,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds to wait for runs that are at work.")
    ] = PATIENCE_SECONDS,
) -> None:
    """Turn the flag off, prove that no new run began, and say what is left and how to go back."""
    session = Session.of(context)
    end = roll_back(
        session,
        why=reason_for(session, reason),
        release=release,
        prometheus=prometheus,
        clear=clear_dead_letters,
        patience=patience,
    )
    raise typer.Exit(exit_code(end))


def roll_back(
    session: Session,
    *,
    why: str,
    release: str | None,
    prometheus: str | None,
    clear: bool | None,
    patience: float = PATIENCE_SECONDS,
) -> RollbackEnd:
    """Do it and say it."""
    alerts = AlertStates(prometheus or session.reach.prometheus)
    walk = RollbackWalk(session, flag_editor(session), alerts, patience=patience)
    # no progress line here: the question about the letters would fight with it
    end = walk.go(
        why=why, release_id=release, clear=lambda letters: _wanted(session, letters, clear), say=session.output.note
    )
    note = status_note(environment=session.environment, at=session.wiring.now(), why=why, release=end.release)
    back = ways_back(session.environment, end)
    document = rollback_document(end, back=back, note=note)
    if session.output.machine:
        session.output.document_line(document)
    else:
        session.output.result(document, *rollback_view(end, back=back, note=note))
    return end


def exit_code(end: RollbackEnd) -> ExitCode:
    """Return what a rollback comes to: off and proven, off and not known, or runs that began too late."""
    if end.proof is None:
        return ExitCode.CANNOT_TELL
    if not end.proof.holds:
        return ExitCode.DEFECT
    return ExitCode.INCOMPLETE if end.proof.working else ExitCode.AS_PROMISED


def ways_back(environment: EnvironmentName, end: RollbackEnd) -> list[str]:
    """Return the commands that lead back: to the last good code, and to the flag as it was."""
    code = []
    if end.last_good_version is not None and environment is not EnvironmentName.LOCAL:
        checkout = f"git checkout v{end.last_good_version.removeprefix('v')}"
        code = [f"{checkout} && sam build --config-env {environment} && sam deploy --config-env {environment}"]
    restore = f'monoctl --env {environment} flag restore {end.before["version"]} --reason "fixed: ..."'
    return [*code, restore]


def _wanted(session: Session, letters: Row, given: bool | None) -> bool:  # noqa: FBT001 - three answers: yes, no, ask
    if given is not None:
        return given
    if session.output.machine or not sys.stdin.isatty():
        session.output.note("the dead letters are kept: `monoctl dead-letters purge --type 'mono.fetch.*'`")
        return False
    for group in letters["groups"]:
        session.output.note(f"  {group['type']} {group['reason']}: {group['messages']}")
    messages = sum(group["messages"] for group in letters["groups"])
    try:
        return typer.confirm(f"Take {messages} mono.fetch.* dead letters away (each is archived)?", err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D: what was proven is still to be said and recorded
        session.output.note("the dead letters are kept")
        return False
