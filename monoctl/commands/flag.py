"""`monoctl flag`: MONO_TRANSACTIONS_ENABLED, who changed it and why, and back again."""

import sys
from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import FLAG_NAME, FlagChange, parse_percentage
from mono_pipeline.usecases.flag_editor import FlagEdit
from monoctl.exit_code import ExitCode
from monoctl.flag_propagation import Propagation, PropagationWatch
from monoctl.flag_road import flag_editor, reason_for
from monoctl.flag_trail import record_edit
from monoctl.session import Session
from monoctl.views.flag import edit_document, edit_view, flag_document, flag_view, history_view, propagation_view

app = typer.Typer(no_args_is_help=True, help="The flag MONO_TRANSACTIONS_ENABLED: for which accounts it is on.")


ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; kept with the version. Required in prod.")]
WaitOption = Annotated[
    bool | None,
    typer.Option("--wait/--no-wait", help="Measure until the functions act by it; usual where a person looks on."),
]
_SHOWN = 20


@app.command("show")
def show(context: typer.Context) -> None:
    """Show the flag as it is, who wrote it and why."""
    session = Session.of(context)
    editor = flag_editor(session)
    flag = editor.read_flag()
    document = {"name": FLAG_NAME, "parameter": editor.name, **flag_document(flag)}
    session.output.result(document, flag_view(flag, editor.name))


@app.command("set")
def change(
    context: typer.Context,
    *,
    value: Annotated[str | None, typer.Argument(help="A whole value: true, false or a JSON rule.")] = None,
    raw: Annotated[str | None, typer.Option(metavar="VALUE", help="The same as VALUE, as an option.")] = None,
    on: Annotated[
        bool | None, typer.Option("--on/--off", "--enable/--disable", help="The kill switch; keeps what is behind it.")
    ] = None,
    percentage: Annotated[str | None, typer.Option(metavar="PERCENT", help="Share of accounts, 0 to 100.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="ACCOUNT", help="Put it on the allow list; may be given more than once.")
    ] = None,
    unallow: Annotated[list[str] | None, typer.Option(metavar="ACCOUNT", help="Take it off the allow list.")] = None,
    deny: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACCOUNT", help="Put it on the deny list, which goes before all else but the kill switch."
        ),
    ] = None,
    undeny: Annotated[list[str] | None, typer.Option(metavar="ACCOUNT", help="Take it off the deny list.")] = None,
    salt: Annotated[str | None, typer.Option(help="Another salt deals the accounts anew.")] = None,
    reason: ReasonOption = None,
    wait: WaitOption = None,
) -> None:
    """Change parts of the flag and keep the rest, or replace it by a whole VALUE."""
    session = Session.of(context)
    wanted = FlagChange(
        enabled=on,
        percentage=None if percentage is None else parse_percentage(percentage),
        allow=frozenset(allow or ()),
        unallow=frozenset(unallow or ()),
        deny=frozenset(deny or ()),
        undeny=frozenset(undeny or ()),
        salt=salt,
    )
    whole = _one_of(value, raw)
    if (whole is None) == (wanted == FlagChange()):
        problem = "nothing to change: give a VALUE or an option" if whole is None else "a whole VALUE goes alone"
        raise InvalidInput("flag set", problem)
    why, editor = reason_for(session, reason), flag_editor(session)
    who, began = session.reach.who, session.wiring.monotonic()
    edit = editor.amend(wanted, who=who, why=why) if whole is None else editor.set_value(whole, who=who, why=why)
    _conclude(session, edit, began=began, wait=wait)


@app.command("history")
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first; SSM keeps 100.")] = _SHOWN,
) -> None:
    """Show the flag's versions, newest first: when, who, value, reason."""
    session = Session.of(context)
    versions = tuple(reversed(flag_editor(session).flag_history()))[:limit]
    session.output.result({"versions": [flag_document(each) for each in versions]}, history_view(versions))


@app.command("restore")
def restore(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Of `flag history`.")],
    reason: ReasonOption = None,
    wait: WaitOption = None,
) -> None:
    """Write an older version's value again, with its lists and its salt."""
    session = Session.of(context)
    why, editor = reason_for(session, reason), flag_editor(session)
    who, began = session.reach.who, session.wiring.monotonic()
    edit = editor.restore(version, who=who, why=why)
    _conclude(session, edit, began=began, wait=wait)


def _one_of(value: str | None, raw: str | None) -> str | None:
    if value is not None and raw is not None:
        raise InvalidInput("--raw", "is the same as VALUE: give one of them")
    return value if value is not None else raw


def _conclude(session: Session, edit: FlagEdit, *, began: float, wait: bool | None) -> None:
    """Say what was changed, at once; then measure it where that is wanted, and write it into the open release."""
    output = session.output
    if not output.machine:
        output.result({}, edit_view(edit))
        for sentence in edit.notes:
            output.note(sentence, style="yellow")
    measures = wait if wait is not None else not output.machine and sys.stdout.isatty()
    propagation = _measured(session, edit, began) if measures else None
    recorded = record_edit(session, edit, propagation)
    if output.machine:
        output.result(edit_document(edit, propagation, recorded))
    else:
        output.note(*propagation_view(propagation))
    if recorded.problem is not None:
        output.note(recorded.problem, style="yellow")
    _leave(propagation)


def _measured(session: Session, edit: FlagEdit, began: float) -> Propagation:
    watch = PropagationWatch(lambda: session.reach.api, session.wiring)
    try:
        with session.output.progress("waiting until the functions act by it") as say:
            return watch.measure(edit.after.version, began=began, say=say)
    except KeyboardInterrupt:  # the change stands, and is still to be recorded
        return Propagation(seconds=None, problem="stopped by hand")


def _leave(propagation: Propagation | None) -> None:
    """The flag is written in any case; the exit code is about what was measured."""
    if propagation is None:
        return
    if propagation.seconds is None:
        raise typer.Exit(ExitCode.CANNOT_TELL)
    if propagation.is_late:
        raise typer.Exit(ExitCode.DEFECT)
