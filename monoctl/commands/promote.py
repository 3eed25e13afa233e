"""`monoctl promote`: the flag's percentage step by step, each step judged, and taken back when it breaks."""

from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import parse_percentage, percentage_text
from mono_pipeline.core.release import ReleaseStatus
from mono_pipeline.core.release_gate import ALERTING_LAG_SECONDS, GateDecision
from monoctl.commands.canary import conclude, told
from monoctl.commands.rollback import roll_back
from monoctl.exit_code import ExitCode, of_gate
from monoctl.flag_road import flag_editor, reason_for
from monoctl.promotion import STEPS, Promotion, Step, next_cohort
from monoctl.release_book import existing_book
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
from monoctl.release_window import Look
from monoctl.session import Session
from monoctl.shadow_walk import compare_by_shadow
from monoctl.views.release import look_line, look_view


def promote(
    context: typer.Context,
    *,
    step: Annotated[
        list[str] | None, typer.Option("--step", metavar="PERCENT", help="Another step; usual: 1, 5, 25, 50, 100.")
    ] = None,
    minutes: MinutesOption = CANARY_MINUTES,
    every: EveryOption = SYNC_EVERY_MINUTES,
    release: ReleaseOption = None,
    reason: ReasonOption = None,
    look: LookOption = LOOK_SECONDS,
    alerting_lag: LagOption = ALERTING_LAG_SECONDS,
    prometheus: PrometheusOption = None,
    without_alerts: WaivedOption = None,
    without_canary: Annotated[
        str | None, typer.Option("--without-canary", metavar="REASON", help="Though no canary was promoted.")
    ] = None,
    shadow: ShadowOption = False,
) -> None:
    """Raise the percentage step by step, a window at each; on `roll back` turn the flag off, on `hold` stay there.

    With --shadow a sample of those who come on by the next step that adds anybody is read, and nothing is changed.
    """
    session = Session.of(context)
    if shadow:
        raise typer.Exit(_compare(session, _steps(step), release))
    why = reason_for(session, reason)
    terms = WindowTerms(
        minutes=minutes, every=every, look=look, alerting_lag=alerting_lag, prometheus=prometheus, waived=without_alerts
    )
    reach = session.reach
    book = existing_book(reach.ops, who=reach.who, release_id=release)
    if book.release["status"] != ReleaseStatus.OPEN:
        raise InvalidInput(
            "--release", f"release {book.id} is {book.release['status']}: `monoctl canary start` begins one"
        )
    promotion = Promotion(session, book, flag_editor(session), terms, why=why)
    promotion.check(without_canary=without_canary)
    steps = promotion.steps_left(_steps(step))
    with session.output.live() as show:

        def watch(seen: Look) -> None:
            told(session, seen)
            show(look_view(seen, now=session.wiring.now(), width=session.output.width), look_line(seen))

        taken = promotion.go(steps, without_canary=without_canary, watch=watch)
    raise typer.Exit(_end(session, book.id, taken, prometheus))


def _compare(session: Session, steps: list[int], release: str | None) -> ExitCode:
    flag = flag_editor(session).read_flag()
    with session.output.progress("asking who would come on by the next step"):
        coming = next_cohort(session.reach.ops, flag, steps)
    if coming is None:
        session.output.note("Nobody comes on by the steps that are left: there is nobody to compare.")
        return ExitCode.AS_PROMISED
    stage = f"{percentage_text(coming.percentage)} %"
    session.output.note(f"{stage}: {coming.accounts} accounts would come on, {len(coming.sample)} of them are read")
    return compare_by_shadow(session, stage, coming.sample, release=release)


def _steps(given: list[str] | None) -> list[int]:
    steps = [parse_percentage(each) for each in given] if given else list(STEPS)
    if steps != sorted(set(steps)) or 0 in steps:
        raise InvalidInput("--step", "steps rise, and none is 0")
    return steps


def _end(session: Session, release: str, taken: list[Step], prometheus: str | None) -> ExitCode:
    judged = [each for each in taken if each.look is not None]
    for each in taken:
        if each.look is None:
            session.output.note(f"{percentage_text(each.percentage)} %: no account came on by it, nothing to judge")
    last = judged[-1].look if judged else None
    if last is None:
        session.output.result({"release": release, "decision": "promote", "steps": len(taken)})
        return ExitCode.AS_PROMISED
    conclude(session, release, last, reached=taken[-1].percentage / 100)
    verdict = last.verdict
    if verdict.decision is GateDecision.ROLL_BACK:
        why = f"{release}: the gate rolls back ({verdict.reason}): {verdict.sentence}"
        roll_back(session, why=why, release=release, prometheus=prometheus, clear=False)
    return of_gate(verdict)
