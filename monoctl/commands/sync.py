"""`monoctl sync`: one account, from the question to the verdict."""

from typing import Annotated, NoReturn

import typer
from rich.text import Text

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.verdict import VerdictKind
from monoctl.days import read_window
from monoctl.exit_code import ExitCode, of_answer, of_verdict
from monoctl.reach import RunReport, SyncAnswer
from monoctl.realtime_wait import RealtimeWait
from monoctl.release_record import record_in
from monoctl.session import Session
from monoctl.sync_wait import SyncWait, SyncWanted
from monoctl.views.accounts import realtime_view
from monoctl.views.reasons import REASONS
from monoctl.views.run import guidance_view, run_view, under_way
from monoctl.views.shadow import shadow_view

PATIENCE_SECONDS = 900


def sync(
    context: typer.Context,
    *,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account (24 hex digits).")],
    start: Annotated[str | None, typer.Option(help="First booking day to read, YYYY-MM-DD; with --end.")] = None,
    end: Annotated[str | None, typer.Option(help="Last booking day to read, included.")] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Let Mono go to the bank first: a call that costs NGN 100.")
    ] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Read and compare as a sync would, and write nothing; the flag has no say.")
    ] = False,
    release: Annotated[
        str | None, typer.Option(metavar="ID", help="With --shadow: record what was found in this release.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow a run that goes on in the queue.")] = True,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds to wait; the run itself goes on.")] = PATIENCE_SECONDS,
) -> None:
    """Sync one account now and say whether what is stored is what the bank said."""
    session = Session.of(context)
    wanted = _wanted(account, start, end)
    if shadow:
        _compare(session, wanted, realtime=realtime, release=release)
    if release is not None:
        raise InvalidInput("--release", "goes with --shadow")
    if realtime:
        _freshen(session, wanted.account_id, timeout if wait else 0)
    with session.output.progress(f"asking for a sync of {account}") as say:
        if wait:
            wiring = session.wiring
            waiting = SyncWait(session.reach.api, patience=timeout, monotonic=wiring.monotonic, pause=wiring.pause)
            answer = waiting.until_the_end(wanted, lambda seen: say(under_way(seen)))
        else:
            answer = session.reach.api.ask(wanted.account_id, start=wanted.start, end=wanted.end)
    _show(session, answer)
    raise typer.Exit(of_answer(answer))


def _compare(session: Session, wanted: SyncWanted, *, realtime: bool, release: str | None) -> NoReturn:
    """Show what a sync would do, and end the command."""
    if wanted.start is not None or realtime:
        raise InvalidInput("--shadow", "goes alone: it reads what the next sync would read, and asks no bank")
    with session.output.progress(f"reading {wanted.account_id} at Mono, writing nothing"):
        answer = session.reach.ops.ask("sync.shadow", account_id=wanted.account_id)
    record_in(session, release, ReleaseEventKind.SHADOW_COMPARED, answer)
    session.output.result(answer, *shadow_view(answer, width=session.output.width))
    raise typer.Exit(of_verdict(answer["verdict"]["kind"]) if answer["verdict"] else ExitCode.CANNOT_TELL)


def _freshen(session: Session, account_id: str, patience: int) -> None:
    """Go on when the bank's data are there, so that a sync is worth it; else say why not, and end the command."""
    wiring = session.wiring
    waiting = RealtimeWait(session.reach.ops, patience=patience, monotonic=wiring.monotonic, pause=wiring.pause)
    with session.output.progress(f"asking {account_id}'s bank") as say:
        end = waiting.until_the_end(account_id, say)
    if end.finished:
        session.output.note(end.sentence)
        return
    session.output.result(end.document, *realtime_view(end.document, now=wiring.now()))
    session.output.note(end.sentence)
    raise typer.Exit(end.exit_code)


def _wanted(account: str, start: str | None, end: str | None) -> SyncWanted:
    account_id = parse_account_id(account)
    window = read_window(("--start", start), ("--end", end))
    if window is None:
        return SyncWanted(account_id=account_id)
    return SyncWanted(account_id=account_id, start=window.start, end=window.end)


def _show(session: Session, answer: SyncAnswer) -> None:
    views = [run_view(answer, answer.run)] if answer.run is not None else []
    if answer.guidance is not None:
        views.extend(guidance_view(answer.guidance))
    elif answer.run is None:
        views.append(Text(answer.error.message if answer.error else answer.status))
    session.output.result(answer.document, *views)
    if sentence := _what_now(answer):
        session.output.note(sentence)


def _what_now(answer: SyncAnswer) -> str:
    match answer.status:
        case "accepted":
            return "The run goes on in the queue: `monoctl accounts show` tells its end."
        case "already_running":
            return f"Run {answer.run_id} holds the account; nothing was asked for. With --wait it is waited for."
        case "paused" | "unavailable":
            when = f" in {answer.retry_after} s" if answer.retry_after else " later"
            return f"Ask again{when} ({answer.reason or answer.status})."
        case "account_blocked":
            return f"This account cannot be read now ({answer.reason or 'Mono refuses it'})."
        case "stopped":
            return "The flag was turned off while the run was under way; what it had read is kept: `monoctl flag show`."
    return _why_not_verified(answer.run) if answer.run else ""


def _why_not_verified(run: RunReport) -> str:
    told = REASONS.get(run.verdict.reason or "", "")
    if run.verdict.kind != VerdictKind.MISMATCH:
        return told
    return f"{told} The rows: `monoctl verify --account {run.account_id}`."
