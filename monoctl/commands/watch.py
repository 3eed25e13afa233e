"""`monoctl watch`: what a release's accounts do, beside the rest, until the window is over and judged."""

from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import ALERTING_LAG_SECONDS
from monoctl.commands.canary import conclude, told
from monoctl.exit_code import of_gate
from monoctl.flag_road import flag_editor
from monoctl.release_book import ReleaseBook, existing_book
from monoctl.release_terms import (
    LOOK_SECONDS,
    LagOption,
    LookOption,
    MinutesOption,
    PrometheusOption,
    ReleaseOption,
    WaivedOption,
    WindowTerms,
)
from monoctl.release_window import Cohorts, Look, look_document
from monoctl.session import Session
from monoctl.views.release import look_line, look_view

MONITORING_MINUTES = 120.0


def watch(
    context: typer.Context,
    *,
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Judge these; else those whom the release has brought on.")
    ] = None,
    minutes: MinutesOption = MONITORING_MINUTES,
    release: ReleaseOption = None,
    look: LookOption = LOOK_SECONDS,
    alerting_lag: LagOption = ALERTING_LAG_SECONDS,
    prometheus: PrometheusOption = None,
    without_alerts: WaivedOption = None,
) -> None:
    """Follow a window and judge it; nothing is asked for and nothing is changed but the verdict's row."""
    session = Session.of(context)
    terms = WindowTerms(
        minutes=minutes, look=look, alerting_lag=alerting_lag, prometheus=prometheus, waived=without_alerts
    )
    reach = session.reach
    book = existing_book(reach.ops, who=reach.who, release_id=release)
    who = Cohorts(accounts=tuple(parse_account_id(each) for each in account)) if account else _brought_on(session, book)
    window = terms.window(session)
    with session.output.live() as show:

        def seen(one: Look) -> None:
            told(session, one)
            show(look_view(one, now=session.wiring.now(), width=session.output.width), look_line(one))

        last = window.follow(terms.plan("watch", who), seen, window.open())
    book.record(ReleaseEventKind.GATE_JUDGED, without_alerts=terms.waived, **look_document(last))
    conclude(session, book.id, last)
    raise typer.Exit(of_gate(last.verdict))


def _brought_on(session: Session, book: ReleaseBook) -> Cohorts:
    """Whom the release has brought on: from the flag before its first change to the flag now."""
    changes = [event["detail"] for event in book.events() if event["kind"] == ReleaseEventKind.FLAG_CHANGED]
    if not changes:
        raise InvalidInput("--account", f"release {book.id} has not changed the flag: name the accounts to watch")
    return Cohorts(before=changes[0]["before"]["value"] or "false", after=flag_editor(session).read_flag().value)
