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
_STALE_STYLE = "red"
_DEAD_STYLE = "red"


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
        Column(title="fresh", cells=[_fresh(row, now) for row in rows], keep=1),
        Column(title="real-time", cells=[Text(row["realtime"]) for row in rows], keep=6),
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
            ("fresh as of", _fresh_in_full(row, now)),
            ("  stale after", f"{number(row['slo_hours'])} h"),
            ("real-time", _policy(row)),
            ("  last asked", stamp(instant(row["realtime_asked_at"]))),
            ("next attempt", "none: a dead letter" if _dead(row) else _when(attempt, until(attempt, now))),
            ("failures in a row", number(row["failure_streak"])),
            *_dead_letter(row, now),
            ("last run", verdict),
            ("  run id", row["run_id"] or NOTHING),
        ]
    )


def realtime_view(answer: Row, *, now: datetime) -> Iterator[RenderableType]:
    """Return what an account's real-time calls are, and what they have cost this month."""
    at, call = instant(answer["fresh_as_of"]), answer["call"]
    yield facts(
        [
            ("account", answer["account_id"]),
            ("real-time", answer["policy"]),
            ("spent this month", f"NGN {number(answer['spent_ngn'])} of {number(answer['monthly_cap_ngn'])}"),
            ("fresh as of", _when(at, ago(at, now))),
            ("last call", stamp(instant(call["asked_at"])) if call else "never"),
            *_call_facts(call),
        ]
    )


def erasure_view(told: Row) -> Iterator[RenderableType]:
    """Return what was erased, by whom and why."""
    rows = told["rows"]
    yield facts(
        [
            ("account", told["account_id"]),
            ("erased", stamp(instant(told["erased_at"]))),
            ("by", told["erased_by"]),
            ("reason", told["reason"]),
            ("rows", f"{number(rows['transactions'])} transactions are tombstones now"),
            ("history", f"{number(rows['versions'])} versions say nothing any more"),
            ("quarantine", f"{number(rows['quarantined'])} raw rows are gone"),
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


def _dead(row: Row) -> bool:
    """Whether the account failed too often; an ops function of before says nothing of it."""
    return row.get("dead_lettered_at") is not None


def _dead_letter(row: Row, now: datetime) -> list[tuple[str, Text | str]]:
    """Since when the account is a dead letter, what its last run failed for, and what a person does about it."""
    if not _dead(row):
        return []
    since = instant(row["dead_lettered_at"])
    return [
        ("dead letter", Text(f"since {_when(since, ago(since, now))}", style=_DEAD_STYLE)),
        ("  last error", row["dead_letter_error"] or NOTHING),
        ("  see why", "monoctl dead-letters inspect"),
        ("  when mended", f"monoctl sync {row['mono_account_id']}"),
    ]


def _call_facts(call: Row | None) -> list[tuple[str, Text | str]]:
    return [("  state", _call(call)), ("  cost", _cost(call))] if call else []


def _call(call: Row) -> Text:
    return Text.assemble(marked(call["state"]), f" ({call['reason']})" if call["reason"] else "")


def _cost(call: Row) -> str:
    charged = call["charged_ngn"]
    return f"NGN {call['reserved_ngn']} reserved" if charged is None else f"NGN {charged}"


def _verdict(row: Row) -> Text:
    """The newest run's verdict, or its status where it has none."""
    return marked(row["verdict"] or row["status"], absent="none yet")


def _link(row: Row) -> Text:
    mark = marked(row["link_status"])
    return Text(_LINKS.get(mark.plain, mark.plain), style=mark.style)


def _fresh(row: Row, now: datetime) -> Text:
    """How old the bank's data are, in red where that is too old."""
    at = instant(row["fresh_as_of"])
    age = "never" if at is None else ago(at, now).removesuffix(" ago")
    return Text.assemble(age, Text(" stale", style=_STALE_STYLE) if row["stale"] else "")


def _fresh_in_full(row: Row, now: datetime) -> Text:
    at = instant(row["fresh_as_of"])
    return Text.assemble(_when(at, ago(at, now)), Text(" stale", style=_STALE_STYLE) if row["stale"] else "")


def _policy(row: Row) -> str:
    why = row["realtime_off_reason"]
    return f"{row['realtime']} (turned off: {why})" if why else str(row["realtime"])


def _balance(row: Row) -> str:
    return amount(row["balance_minor"], row["currency"])


def _when(at: datetime | None, told: str) -> str:
    return f"{stamp(at)} ({told})" if at is not None else told
