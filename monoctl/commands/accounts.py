"""`monoctl accounts`: bring linked accounts in, and see how they stand."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.realtime import RealtimePolicy
from monoctl.account_pages import all_accounts, import_accounts
from monoctl.console.words import number
from monoctl.exit_code import ExitCode
from monoctl.session import Session
from monoctl.views.accounts import (
    account_view,
    accounts_table,
    erasure_view,
    import_counts,
    import_view,
    realtime_view,
)

app = typer.Typer(no_args_is_help=True, help="Bring linked accounts in, and see how they stand.")


@app.command("import")
def bring_in(
    context: typer.Context,
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Mono's ids; none: all that Mono lists.")
    ] = None,
) -> None:
    """Bring accounts that are linked at Mono into the pipeline; those already known are refreshed."""
    session = Session.of(context)
    with session.output.progress("importing accounts") as say:
        done = import_accounts(session.reach.ops, accounts or [], lambda so_far: say(import_counts(so_far)))
    session.output.result(asdict(done), *import_view(done))
    raise typer.Exit(ExitCode.INCOMPLETE if done.skipped else ExitCode.AS_PROMISED)


@app.command("list")
def show_all(context: typer.Context) -> None:
    """List every account: link, rows, balance, newest run."""
    session = Session.of(context)
    rows = []
    with session.output.progress("reading accounts") as say:
        for row in all_accounts(session.reach.ops):
            rows.append(row)
            say(f"{number(len(rows))} accounts")
    view = accounts_table(rows, now=session.wiring.now(), width=session.output.width)
    session.output.result({"accounts": rows}, view)
    if not rows:
        session.output.note("No accounts yet: `monoctl accounts import` brings in what is linked at Mono.")


@app.command("show")
def show_one(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account, present or former.")],
) -> None:
    """Show one account in full, with its newest run."""
    session = Session.of(context)
    account_id = parse_account_id(account)
    with session.output.progress(f"reading {account_id}"):
        row = session.reach.ops.ask("accounts.show", account_id=account_id)["account"]
    session.output.result({"account": row}, account_view(row, now=session.wiring.now()))


@app.command("realtime")
def realtime(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account, present or former.")],
    policy: Annotated[
        RealtimePolicy,
        typer.Argument(metavar="never|on-demand|daily", help="When Mono may be asked to go to the bank."),
    ],
) -> None:
    """Say when Mono may be asked to go to the account's bank: each call costs NGN 100."""
    session = Session.of(context)
    account_id = parse_account_id(account)
    with session.output.progress(f"writing the policy of {account_id}"):
        told = session.reach.ops.ask("realtime.policy", account_id=account_id, policy=policy.value)
    session.output.result(told, *realtime_view(told, now=session.wiring.now()))
    if policy is not RealtimePolicy.NEVER and not told["monthly_cap_ngn"]:
        session.output.note("REALTIME_MONTHLY_CAP_NGN is 0: no call is made before it allows one.", style="yellow")


@app.command("slo")
def slo(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account, present or former.")],
    hours: Annotated[str, typer.Argument(metavar="HOURS|default", help="From how many hours on its data are stale.")],
) -> None:
    """Say how old an account's data may be before it counts as stale."""
    session = Session.of(context)
    if hours != "default" and not (hours.isascii() and hours.isdigit()):
        raise InvalidInput("HOURS", "is neither a number of hours nor `default`")
    account_id, limit = parse_account_id(account), None if hours == "default" else int(hours)
    with session.output.progress(f"writing the limit of {account_id}"):
        told = session.reach.ops.ask("freshness.slo", account_id=account_id, hours=limit)
    session.output.result(told, Text(f"{told['account_id']} is stale after {told['slo_hours']} h"))


@app.command("reauth-link")
def reauth_link(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account, present or former.")],
    *,
    redirect_url: Annotated[
        str | None, typer.Option("--redirect-url", help="Where the owner is led afterwards: an https address.")
    ] = None,
) -> None:
    """Ask Mono for a link under which the account's owner signs in at the bank again."""
    session = Session.of(context)
    account_id = parse_account_id(account)
    with session.output.progress("asking Mono for a link"):
        told = session.reach.ops.ask("accounts.reauth_link", account_id=account_id, redirect_url=redirect_url)
    if session.output.machine:
        session.output.result(told)
    else:
        session.output.line(Text(told["url"]))  # whole, to be copied
    session.output.note("It is for the account's owner alone; Mono tells us when it was used.")


@app.command("erase")
def erase(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Mono's id of the account, present or former.")],
    *,
    confirm: Annotated[str, typer.Option("--confirm", metavar="ACCOUNT", help="The same id again: no way back.")],
    reason: Annotated[str, typer.Option("--reason", help="Who asked for it, and where that is written down.")],
) -> None:
    """Erase an account's personal data for good; tombstones stay, and it is never read again."""
    session = Session.of(context)
    account_id, again, who = parse_account_id(account), parse_account_id(confirm), session.reach.who
    with session.output.progress(f"erasing {account_id}"):
        told = session.reach.ops.ask("accounts.erase", account_id=account_id, confirm=again, actor=who, reason=reason)
    session.output.result(told, *erasure_view(told))
    session.output.note("Copies elsewhere (the platform's, backups, logs): docs/data-map.md says how they end.")
