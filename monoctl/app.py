"""monoctl: the global options and the tree of commands."""

from typing import Annotated

import typer

from mono_pipeline import __version__
from monoctl.commands import (
    accounts,
    backfill,
    canary,
    dead_letters,
    duplicates,
    flag,
    logs,
    preflight,
    promote,
    release,
    report,
    rollback,
    secrets,
    sync,
    verify,
    watch,
)
from monoctl.console.output import Output
from monoctl.environment import EnvironmentName
from monoctl.session import Session, Wiring
from monoctl.speaking_group import SpeakingGroup

app = typer.Typer(
    cls=SpeakingGroup,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(accounts.app, name="accounts")
app.command("sync")(sync.sync)
app.command("backfill")(backfill.backfill)
app.command("verify")(verify.verify)
app.add_typer(duplicates.app, name="duplicates")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(flag.app, name="flag")
app.add_typer(secrets.app, name="secrets")
app.add_typer(canary.app, name="canary")
app.command("watch")(watch.watch)
app.command("promote")(promote.promote)
app.command("rollback")(rollback.rollback)
app.add_typer(release.app, name="release")
app.command("report")(report.report)
app.command("preflight")(preflight.check)
app.command("logs")(logs.logs)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's callback
    if wanted:
        typer.echo(f"monoctl {__version__}")
        raise typer.Exit


@app.callback()
def monoctl(
    context: typer.Context,
    *,
    env: Annotated[
        EnvironmentName | None,
        typer.Option(envvar="MONOCTL_ENV", help="Where to. Local by itself only beside an embedded stack that is up."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, all else on stderr.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Operate mono-pipeline: accounts, syncs, verification, the flag, secrets and logs of one environment."""
    context.obj = Session(context.obj or Wiring(), given=env, output=Output(machine=json))
