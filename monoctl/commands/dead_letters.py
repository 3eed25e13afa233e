"""`monoctl dead-letters`: what failed for good; see why, send it back to work, or take it away."""

from typing import Annotated, Any

import typer

from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.iso_duration import parse_duration
from monoctl.dead_letter_walk import carry_through, exit_code
from monoctl.session import Session
from monoctl.views.dead_letters import letters_view, progress_line, summary_lines

app = typer.Typer(no_args_is_help=True, help="Inspect, replay and purge what failed for good.")

Kind = Annotated[str | None, typer.Option("--type", help="Only messages of this type; a pattern: 'mono.fetch.*'.")]
Account = Annotated[str | None, typer.Option("--account", help="Only this account's; a former id means it too.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only those that failed for it; a pattern: 'mono_*'.")]
Age = Annotated[str | None, typer.Option("--older-than", help="Only older ones; an ISO 8601 duration: PT12H, P2D.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it. Without it, what would happen is said.")]
Most = Annotated[int | None, typer.Option("--limit", min=1, help="Messages that are taken off at the most.")]


@app.command("inspect")
def inspect(
    context: typer.Context,
    *,
    kind: Kind = None,
    account: Account = None,
    reason: Reason = None,
    older_than: Age = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Messages that are shown one by one.")] = 20,
) -> None:
    """Show what there is: by type and reason with what a replay would make of it, and the oldest messages."""
    words = _filter(kind, account, reason, older_than)
    _act(context, {"action": "inspect", "filter": words}, shown=limit)


@app.command("replay")
def replay(
    context: typer.Context,
    *,
    kind: Kind = None,
    account: Account = None,
    reason: Reason = None,
    older_than: Age = None,
    limit: Most = None,
    rate: Annotated[int | None, typer.Option("--rate", min=1, help="Messages a second at the most.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Though the flag is off, Mono is paused, or an account is blocked.")
    ] = False,
    execute: Execute = False,
) -> None:
    """Send messages back to work: their accounts are read again, and scheduled as before."""
    asked = {"action": "replay", "limit": limit, "rate": rate, "force": force, "dry_run": not execute}
    _act(context, {**asked, "filter": _filter(kind, account, reason, older_than)})


@app.command("purge")
def purge(
    context: typer.Context,
    *,
    kind: Kind = None,
    account: Account = None,
    reason: Reason = None,
    older_than: Age = None,
    limit: Most = None,
    execute: Execute = False,
) -> None:
    """Take messages away without serving them; each is kept in the archive first."""
    asked = {"action": "purge", "limit": limit, "dry_run": not execute}
    _act(context, {**asked, "filter": _filter(kind, account, reason, older_than)})


def _filter(kind: str | None, account: str | None, reason: str | None, older_than: str | None) -> dict[str, Any]:
    if account is not None:
        parse_account_id(account)
    if older_than is not None:
        parse_duration("--older-than", older_than)
    given = {"type": kind, "account_id": account, "reason": reason, "older_than": older_than}
    return {name: value for name, value in given.items() if value is not None}


def _act(context: typer.Context, body: dict[str, Any], *, shown: int = 0) -> None:
    session = Session.of(context)
    with session.output.progress("looking at the dead letters") as say:
        answer = carry_through(
            session.reach.dead_letters,
            body,
            asked_by=session.reach.who,
            watch=lambda so_far: say(progress_line(so_far)),
        )
    answer = {**answer, "letters": answer["letters"][:shown]}
    now, width = session.wiring.now(), session.output.width
    session.output.result(answer, *letters_view(answer, now=now, width=width))
    for line in summary_lines(answer):
        session.output.note(line)
    raise typer.Exit(exit_code(answer))
