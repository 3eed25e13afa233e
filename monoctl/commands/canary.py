"""`monoctl canary`: a few accounts let in by name, judged, and taken out again when they break."""

from typing import Annotated, Any

import typer
from rich.text import Text

from mono_pipeline import __version__
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import ALERTING_LAG_SECONDS
from monoctl.canary_walk import CanaryWalk, check_canary, named
from monoctl.exit_code import of_gate
from monoctl.flag_road import flag_editor, reason_for
from monoctl.release_book import existing_book, open_book
from monoctl.release_terms import (
    CANARY_MINUTES,
    LOOK_SECONDS,
    SYNC_EVERY_MINUTES,
    EveryOption,
    LagOption,
    LookOption,
    MinutesOption,
    PrometheusOption,
    ReasonOption,
    ReleaseOption,
    ShadowOption,
    WaivedOption,
    WindowTerms,
)
from monoctl.release_window import Look, look_document
from monoctl.session import Session
from monoctl.shadow_walk import compare_by_shadow
from monoctl.views.flag import flag_document, flag_view
from monoctl.views.release import look_line, look_view, release_view, verdict_text

app = typer.Typer(no_args_is_help=True, help="Let a few accounts in, judge them, take them out.")

Accounts = Annotated[list[str] | None, typer.Option("--account", help="Mono's id; may be given more than once.")]


@app.command("start")
def start(
    context: typer.Context,
    *,
    account: Accounts = None,
    minutes: MinutesOption = CANARY_MINUTES,
    every: EveryOption = SYNC_EVERY_MINUTES,
    release: ReleaseOption = None,
    version: Annotated[str, typer.Option("--version", help="What is released; this code's version.")] = __version__,
    reason: ReasonOption = None,
    look: LookOption = LOOK_SECONDS,
    alerting_lag: LagOption = ALERTING_LAG_SECONDS,
    prometheus: PrometheusOption = None,
    without_alerts: WaivedOption = None,
    shadow: ShadowOption = False,
) -> None:
    """Put accounts on the allow list, sync them at once and again and again, and judge the window at its end.

    Where the gate rolls back, the accounts are taken off the list again. With --shadow nothing is changed or written.
    """
    session = Session.of(context)
    accounts = [parse_account_id(each) for each in account or ()]
    if shadow:
        raise typer.Exit(compare_by_shadow(session, "canary", named(accounts), release=release))
    why = reason_for(session, reason)
    terms = WindowTerms(
        minutes=minutes,
        every=every,
        look=look,
        alerting_lag=alerting_lag,
        prometheus=prometheus,
        waived=without_alerts,
    )
    editor, reach = flag_editor(session), session.reach
    check_canary(editor.read_flag(), accounts)
    for each in accounts:
        reach.ops.ask("accounts.show", account_id=each)
    book = open_book(
        reach.ops, who=reach.who, release_id=release, version=version, reason=why, now=session.wiring.now()
    )
    session.output.note(f"release {book.id}")
    with session.output.live() as show:

        def watch(seen: Look) -> None:
            told(session, seen)
            show(look_view(seen, now=session.wiring.now(), width=session.output.width), look_line(seen))

        end = CanaryWalk(session, book, editor).start(accounts, terms, why=why, watch=watch)
    conclude(session, book.id, end.look, propagation_seconds=end.propagation_seconds, taken_out=end.taken_out)
    raise typer.Exit(of_gate(end.look.verdict))


@app.command("stop")
def stop(context: typer.Context, *, release: ReleaseOption = None, reason: ReasonOption = None) -> None:
    """Take the canary's accounts off the allow list; the release stays open."""
    session = Session.of(context)
    why = reason_for(session, reason)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    started = book.last(ReleaseEventKind.CANARY_STARTED)
    if started is None:
        raise InvalidInput("--release", f"release {book.id} had no canary")
    editor, accounts = flag_editor(session), started["detail"]["accounts"]
    CanaryWalk(session, book, editor).stop(accounts, why=why)
    flag = editor.read_flag()
    document = {"release": book.id, "accounts": accounts, "flag": flag_document(flag)}
    session.output.result(document, flag_view(flag, editor.name))


@app.command("status")
def status(context: typer.Context, *, release: ReleaseOption = None) -> None:
    """Show the release and what happened in it so far."""
    session = Session.of(context)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    events = book.events()
    session.output.result({"release": book.release, "events": events}, *release_view(book.release, events))


def told(session: Session, seen: Look) -> None:
    """Give a look to machines, a line each."""
    if session.output.machine:
        session.output.document_line(look_document(seen))


def conclude(session: Session, release: str, last: Look, **more: Any) -> None:
    """Say how a window ended: for machines a last line, with the release."""
    verdict = last.verdict
    if session.output.machine:
        ended = {"release": release, "decision": verdict.decision.value, "reason": verdict.reason.value}
        session.output.document_line({**ended, "sentence": verdict.sentence, **more})
        return
    session.output.result({}, Text(f"release {release}"), verdict_text(verdict))
