"""`monoctl report`: all that is known of a release, as one page and as JSON."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mono_pipeline.core.errors import InvalidInput
from monoctl.console.tables import facts
from monoctl.release_book import existing_book
from monoctl.release_terms import PrometheusOption, ReleaseOption
from monoctl.report.gather import Gathering
from monoctl.report.page import report_document, report_page
from monoctl.session import Session


def report(
    context: typer.Context,
    *,
    release: ReleaseOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Where the page goes, release-ID.html else; the JSON goes beside it."),
    ] = None,
    prometheus: PrometheusOption = None,
) -> None:
    """Write what a release was as one HTML page and as JSON; with --json the JSON goes to stdout instead."""
    session = Session.of(context)
    book = existing_book(session.reach.ops, who=session.reach.who, release_id=release)
    page = output or Path(f"release-{book.id}.html")
    data = page.with_suffix(".json")
    if data == page:
        raise InvalidInput("--output", "names the page: it does not end in .json")
    made = Gathering(session, book, prometheus=prometheus or session.reach.prometheus).report()
    document = report_document(made)
    if output is not None or not session.output.machine:
        _write(page, report_page(made))
        _write(data, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    for gap in made.untold:
        session.output.note(f"not in it: {gap}", style="yellow")
    if made.alerts.problem:
        session.output.note(f"alerts are what the gates saw: {made.alerts.problem}", style="yellow")
    outcome = f"{made.outcome.word}: {made.outcome.sentence}"
    session.output.result(
        document, facts([("release", book.id), ("outcome", outcome), ("page", str(page)), ("data", str(data))])
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput("--output", f"{path} cannot be written: {error.strerror}") from error
