"""`monoctl backfill`: read past days of accounts, month by month, and go on where it was."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from monoctl.account_pages import all_accounts
from monoctl.backfill_walk import BackfillWalk, Plan, plan
from monoctl.days import read_day
from monoctl.exit_code import worst
from monoctl.session import Session
from monoctl.views.backfill import Pace, backfill_view, plan_line

type Row = dict[str, Any]

PATIENCE_SECONDS = 900


def backfill(
    context: typer.Context,
    *,
    first: Annotated[str, typer.Option("--from", help="First booking day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last booking day, included; not beyond today.")],
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Mono's id of an account; more than once if need be.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every account that is linked.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also months that were read already.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and the estimate, and ask for nothing.")
    ] = False,
    in_flight: Annotated[int, typer.Option(min=1, max=20, help="Accounts that are read at a time.")] = 4,
    timeout: Annotated[
        int, typer.Option(min=1, help="Seconds without any progress before giving up.")
    ] = PATIENCE_SECONDS,
) -> None:
    """Read past days again or for the first time: what is covered is skipped, what was interrupted goes on."""
    session = Session.of(context)
    days = _days(first, last)
    if everyone == bool(account):
        raise InvalidInput("--account", "give accounts, or --all")
    ids = list(dict.fromkeys(parse_account_id(each) for each in account or []))
    with session.output.progress("planning") as say:
        made = plan(session.reach.ops, ids or _linked(session), days, again=again)
        say(plan_line(made))
    session.output.note(plan_line(made))
    if made.to_read and not dry_run:
        _walk(session, made, in_flight=in_flight, patience=timeout)
    session.output.result(_document(made), *backfill_view(made, width=session.output.width, planned=dry_run))
    raise typer.Exit(0 if dry_run else worst(window.exit_code for window in made.windows))


def _walk(session: Session, made: Plan, *, in_flight: int, patience: int) -> None:
    wiring, to_read = session.wiring, made.to_read
    walk = BackfillWalk(
        session.reach.ops, in_flight=in_flight, patience=patience, monotonic=wiring.monotonic, pause=wiring.pause
    )
    pace = Pace(to_read, monotonic=wiring.monotonic)
    try:
        with session.output.progress(pace.line()) as say:
            walk.go(to_read, lambda: say(pace.line()))
    except KeyboardInterrupt:
        session.output.note(f"{pace.line()}: the same command goes on from there.")
        raise


def _days(first: str, last: str) -> DateWindow:
    start, end = read_day("--from", first), read_day("--to", last)
    if start > end:
        raise InvalidInput("--from", "is later than --to")
    return DateWindow(start=start, end=end)


def _linked(session: Session) -> list[str]:
    """Every account that can be read; those that are unlinked are named."""
    linked, unlinked = list[str](), list[str]()
    for row in all_accounts(session.reach.ops):
        (unlinked if row["link_status"] == "unlinked" else linked).append(row["mono_account_id"])
    if unlinked:
        session.output.note(f"Left out, because unlinked: {len(unlinked)}, as {unlinked[0]}.")
    return linked


def _document(made: Plan) -> Row:
    return {
        "requests": made.requests,
        "seconds": made.seconds,
        "windows": [{**asdict(window), "exit_code": int(window.exit_code)} for window in made.windows],
    }
