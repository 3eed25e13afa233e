"""`monoctl verify`: whether what is stored is what the bank said, from the tables or with Mono beside them."""

from typing import Annotated, Any

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release import ReleaseEventKind
from monoctl.account_pages import all_accounts
from monoctl.console.words import number
from monoctl.days import read_window
from monoctl.exit_code import worst
from monoctl.release_record import record_in
from monoctl.session import Session
from monoctl.verify_walk import exit_code, verdicts_of, verified, verified_or_refused
from monoctl.views.verification import reading, verification_view, verifications_table

type Row = dict[str, Any]


def verify(
    context: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="Mono's id of one account, present or former.")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Every account, one after the other; so it is without --account.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Compare with what Mono shows now; nothing is written.")] = False,
    first: Annotated[
        str | None, typer.Option("--from", help="First booking day, YYYY-MM-DD; with --to: are these days complete?")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last booking day, included.")] = None,
    release: Annotated[
        str | None, typer.Option(metavar="ID", help="Record in this release how many accounts have which verdict.")
    ] = None,
) -> None:
    """Say whether what is stored is what the bank said: the newest verdict, or with --live a comparison now."""
    session = Session.of(context)
    if everyone and account:
        raise InvalidInput("--account", "give one account, or --all")
    how = {"live": live, "days": read_window(("--from", first), ("--to", last))}
    if account:
        answer = _one(session, parse_account_id(account), how)
        answers, code = [answer], exit_code(answer)
    else:
        answers = _all(session, how)
        code = worst(exit_code(answer) for answer in answers)
    record_in(
        session, release, ReleaseEventKind.DATA_VERIFIED, {"live": live, "exit_code": int(code), **verdicts_of(answers)}
    )
    raise typer.Exit(code)


def _one(session: Session, account_id: str, how: Row) -> Row:
    with session.output.progress(f"verifying {account_id}") as say:
        answer = verified(session.reach.ops, account_id, **how, watch=lambda so_far: say(reading(so_far)))
    now, width = session.wiring.now(), session.output.width
    session.output.result(answer, *verification_view(answer, now=now, width=width))
    return answer


def _all(session: Session, how: Row) -> list[Row]:
    ops, answers = session.reach.ops, list[Row]()
    with session.output.progress("verifying every account") as say:
        for row in all_accounts(ops):
            done = f"{number(len(answers))} looked at"
            say(done)
            answers.append(
                verified_or_refused(
                    ops,
                    row["mono_account_id"],
                    **how,
                    watch=lambda so_far, done=done: say(f"{done}; {reading(so_far)}"),
                )
            )
    view = verifications_table(answers, now=session.wiring.now(), width=session.output.width)
    session.output.result({"accounts": answers}, *view)
    if not answers:
        session.output.note("No accounts yet: `monoctl accounts import` brings in what is linked at Mono.")
    return answers
