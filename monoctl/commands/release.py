"""`monoctl release`: releases and their trail, signed off or closed by a person."""

from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from monoctl.flag_road import reason_for
from monoctl.release_book import existing_book
from monoctl.release_terms import ReasonOption, ReleaseOption
from monoctl.session import Session
from monoctl.views.release import release_view, releases_table

app = typer.Typer(no_args_is_help=True, help="Releases and what happened in them.")


@app.command("list")
def list_releases(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
) -> None:
    """Show the last releases."""
    session = Session.of(context)
    found = session.reach.ops.ask("releases.list", limit=limit)["releases"]
    session.output.result({"releases": found}, releases_table(found, session.output.width))
    if not found:
        session.output.note("No release yet: `monoctl canary start` begins one.")


@app.command("show")
def show(context: typer.Context, *, release: ReleaseOption = None) -> None:
    """Show a release and everything that happened in it."""
    session = Session.of(context)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    events = book.events()
    session.output.result({"release": book.release, "events": events}, *release_view(book.release, events))


@app.command("sign-off")
def sign_off(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="What is signed for, in a few words.")],
    *,
    release: ReleaseOption = None,
    note: Annotated[str | None, typer.Option("--note", help="What was looked at, or what is open.")] = None,
) -> None:
    """Sign for one item of a release's checklist: who and when are recorded."""
    session = Session.of(context)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    event = book.record(ReleaseEventKind.SIGNED_OFF, item=item, note=note)
    session.output.result({"release": book.id, "event": event}, *release_view(book.release, [event]))


@app.command("close")
def close(context: typer.Context, *, release: ReleaseOption = None, reason: ReasonOption = None) -> None:
    """Close a release that is neither promoted nor rolled back, so that another one can begin."""
    session = Session.of(context)
    why = reason_for(session, reason)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    if book.release["status"] != ReleaseStatus.OPEN:
        raise InvalidInput("--release", f"release {book.id} is {book.release['status']} already")
    event = book.record(ReleaseEventKind.CLOSED, reason=why)
    session.output.result({"release": book.id, "event": event}, *release_view(book.release, [event]))
