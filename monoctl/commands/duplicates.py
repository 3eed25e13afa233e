"""`monoctl duplicates`: one transaction under two ids, or two transactions? A person decides."""

from dataclasses import asdict
from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from monoctl.console.words import number
from monoctl.exit_code import ExitCode
from monoctl.session import Session
from monoctl.suspicion_pages import all_suspicions, decide
from monoctl.views.duplicates import decision_view, suspicions_view

app = typer.Typer(no_args_is_help=True, help="Decide whether two ids are one transaction.")

Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Suspicions, by the id that `list` shows.")]
Everyone = Annotated[bool, typer.Option("--all", help="Every open suspicion of --account.")]
Account = Annotated[str | None, typer.Option("--account", help="Mono's id of the account; with --all.")]


@app.command("list")
def show_all(
    context: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    decided: Annotated[bool, typer.Option("--decided", help="Also those that are decided.")] = False,
) -> None:
    """List suspicions: an old id that the bank no longer shows beside a new one that looks the same."""
    session = Session.of(context)
    only = parse_account_id(account) if account else None
    rows = []
    with session.output.progress("reading suspicions") as say:
        for row in all_suspicions(session.reach.ops, account_id=only, decided=decided):
            rows.append(row)
            say(f"{number(len(rows))} suspicions")
    session.output.result({"suspicions": rows}, *suspicions_view(rows, width=session.output.width))
    if not rows:
        session.output.note("No suspicion: nothing is set aside." if decided else "No open suspicion.")


@app.command("accept")
def accept(context: typer.Context, ids: Ids = None, *, everyone: Everyone = False, account: Account = None) -> None:
    """Say that both ids are one transaction: the old row is superseded by the new one, which counts from now on."""
    _decide(context, ids or [], same=True, everyone=everyone, account=account)


@app.command("reject")
def reject(context: typer.Context, ids: Ids = None, *, everyone: Everyone = False, account: Account = None) -> None:
    """Say that they are two transactions: both count, and the old one is a matter of evidence."""
    _decide(context, ids or [], same=False, everyone=everyone, account=account)


def _decide(context: typer.Context, ids: list[int], *, same: bool, everyone: bool, account: str | None) -> None:
    session = Session.of(context)
    if everyone == bool(ids) or everyone != bool(account):
        raise InvalidInput("ids", "give the ids of suspicions, or --all with --account")
    ops = session.reach.ops
    with session.output.progress("deciding") as say:
        if everyone:
            account_id = parse_account_id(account or "")
            ids = [row["id"] for row in all_suspicions(ops, account_id=account_id, decided=False)]
        done = decide(
            ops,
            list(dict.fromkeys(ids)),
            same=same,
            decided_by=session.reach.who,
            watch=lambda so_far: say(f"{number(len(so_far.decided))} of {number(len(ids))} decided"),
        )
    session.output.result(asdict(done), *decision_view(done, same=same))
    raise typer.Exit(ExitCode.INCOMPLETE if done.not_open else ExitCode.AS_PROMISED)
