"""Accounts, for people: a table of them, one in full, what an import did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from monoctl.console.tables import Column, facts, fitting
from monoctl.console.words import NOTHING, ago, amount, instant, number, stamp, until
from monoctl.views.marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from monoctl.account_pages import Imported

    type Row = dict[str, Any]

# A mark, and no word, where the bank wants something: the word does not fit beside the rest.
_LINKS = {"reauth_required": "reauth"}
_SKIPPED_SHOWN = 20


def accounts_table(rows: Sequence[Row], *, now: datetime, width: int) -> RenderableType:
    """Return a line for each account, the columns that matter most where there is little room."""
    columns = (
        Column(title="account", cells=[Text(row["mono_account_id"]) for row in rows]),
        Column(title="link", cells=[_link(row) for row in rows], keep=2),
        Column(title="rows", cells=[Text(number(row["transactions"])) for row in rows], keep=1, justify="right"),
        Column(title="balance", cells=[Text(_balance(row)) for row in rows], keep=3, justify="right"),
        Column(title="watermark", cells=[Text(row["watermark"] or NOTHING) for row in rows], keep=5),
        Column(title="success", cells=[Text(ago(instant(row["last_success_at"]), now)) for row in rows], keep=1),
        Column(title="verdict", cells=[_verdict(row) for row in rows], keep=0),
        Column(title="next", cells=[Text(until(instant(row["next_attempt_at"]), now)) for row in rows], keep=4),
    )
    return fitting(columns, width)


def account_view(row: Row, *, now: datetime) -> RenderableType:
    """Return all there is to say of one account."""
    reason = row["verdict_reason"] or row["error_code"]
    verdict = Text.assemble(_verdict(row), f" ({reason})" if reason else "")
    success, attempt = instant(row["last_success_at"]), instant(row["next_attempt_at"])
    return facts(
        [
            ("account", row["mono_account_id"]),
            ("customer", row["mono_customer_id"] or NOTHING),
            ("reference", row["reference"] or NOTHING),
            ("bank code", row["bank_code"] or NOTHING),
            ("link", marked(row["link_status"])),
            ("data at Mono", row["data_status"] or NOTHING),
            ("transactions", number(row["transactions"])),
            ("balance", _balance(row)),
            ("watermark", row["watermark"] or NOTHING),
            ("last success", _when(success, ago(success, now))),
            ("last full read", stamp(instant(row["last_full_read_at"]))),
            ("fresh as of", stamp(instant(row["fresh_as_of"]))),
            ("next attempt", _when(attempt, until(attempt, now))),
            ("failures in a row", number(row["failure_streak"])),
            ("last run", verdict),
            ("  run id", row["run_id"] or NOTHING),
        ]
    )


def import_view(done: Imported) -> Iterator[RenderableType]:
    """Return the counts of an import, and why accounts were skipped."""
    yield Text(import_counts(done))
    shown = list(done.skipped.items())[:_SKIPPED_SHOWN]
    if shown:
        yield facts((account_id, Text(reason, style="yellow")) for account_id, reason in shown)
    if len(done.skipped) > len(shown):
        yield Text(f"and {number(len(done.skipped) - len(shown))} more; --json names them all", style="dim")


def import_counts(done: Imported) -> str:
    """Return how far an import is, in one line."""
    counts = (("imported", done.imported), ("known already", done.known), ("skipped", done.skipped))
    return ", ".join(f"{number(len(ids))} {what}" for what, ids in counts)


def _verdict(row: Row) -> Text:
    """The newest run's verdict, or its status where it has none."""
    return marked(row["verdict"] or row["status"], absent="none yet")


def _link(row: Row) -> Text:
    mark = marked(row["link_status"])
    return Text(_LINKS.get(mark.plain, mark.plain), style=mark.style)


def _balance(row: Row) -> str:
    return amount(row["balance_minor"], row["currency"])


def _when(at: datetime | None, told: str) -> str:
    return f"{stamp(at)} ({told})" if at is not None else told
