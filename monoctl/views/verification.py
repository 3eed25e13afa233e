"""A verification, for people: one account in full, many in a table, the first bad day with both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from monoctl.console.tables import Column, facts, fitting
from monoctl.console.words import NOTHING, ago, days, instant, money, number, stamp
from monoctl.views.marks import marked
from monoctl.views.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    type Row = dict[str, Any]

_STRETCHES: Final = 8
_HOLDS: Final = {True: ("holds", "green"), False: ("broken", "bold red"), None: ("cannot say", "yellow")}
_MONEY: Final = frozenset({"credits", "debits", "balance", "amount_minor", "balance_after_minor"})
_SIDES: Final = ("rows", "credits", "debits", "balance")
_FAULTS: Final = {"missing": "only at Mono", "extra": "only stored"}


def verification_view(answer: Row, *, now: datetime, width: int) -> Iterator[RenderableType]:
    """Return all there is to say of one account."""
    verdict = answer["verdict"]
    lines: list[tuple[str, Text | str]] = [("account", answer["account_id"]), ("verdict", verdict_words(verdict))]
    lines += _compared(answer) if "bank" in answer else _recorded(answer, now)
    if "coverage" in answer:
        lines += _coverage(answer["coverage"])
    yield facts(lines)
    if "bank" in answer:
        yield Text()
        yield _both_sides(answer["bank"], answer["stored"], _SIDES, width)
    told = answer.get("mismatch") or (answer.get("run") or {}).get("mismatch")
    if told:
        yield from _mismatch(told, width)
    if verdict["reason"]:
        yield Text()
        yield Text(REASONS.get(verdict["reason"], ""))


def verifications_table(answers: Sequence[Row], *, now: datetime, width: int) -> Iterator[RenderableType]:
    """Return a line for each account, and how many there are of each verdict."""
    verdicts = [answer.get("verdict") or {} for answer in answers]
    columns = (
        Column(title="account", cells=[Text(answer["account_id"]) for answer in answers]),
        Column(title="verdict", cells=[marked(verdict.get("kind"), absent="cannot tell") for verdict in verdicts]),
        Column(title="reason", cells=[Text(_reason(answer)) for answer in answers], keep=1),
        Column(title="bad day", cells=[Text(verdict.get("first_bad_day") or NOTHING) for verdict in verdicts], keep=2),
        Column(title="as of", cells=[Text(_as_of(answer, now)) for answer in answers], keep=3),
        Column(title="days", cells=[_complete(answer) for answer in answers], keep=2)
        if any("coverage" in answer for answer in answers)
        else Column(title="", cells=[Text() for _ in answers], keep=9),
    )
    if answers:
        yield fitting([column for column in columns if column.title], width)
        yield Text(_counts([str(verdict.get("kind", "cannot tell")) for verdict in verdicts]), style="bold")


def reading(so_far: Mapping[str, Any]) -> str:
    """Return how far a reading of Mono is, in one line."""
    return f"{number(so_far['rows'])} of {number(so_far['highest_total'])} rows read at Mono"


def verdict_words(verdict: Row) -> Text:
    """Return a verdict with its reason and its first bad day."""
    told = marked(verdict["kind"])
    since = verdict["first_bad_day"] and f"first bad day {verdict['first_bad_day']}"
    details = ", ".join(detail for detail in (verdict["reason"], since) if detail)
    return told.append(f" ({details})", style="") if details else told


def _compared(answer: Row) -> Iterator[tuple[str, Text | str]]:
    yield "compared", f"{number(answer['days_compared'])} days, {number(answer['pages'])} pages read at Mono"
    yield "at", stamp(instant(answer["read_at"]))
    if answer["undecided"]:
        yield "undecided", f"{number(answer['undecided'])} rows that Mono does not show, set aside"
    if answer["quarantined"]:
        yield "quarantined", f"{number(answer['quarantined'])} rows that cannot be trusted, set aside"


def _recorded(answer: Row, now: datetime) -> Iterator[tuple[str, Text | str]]:
    run, newest = answer["run"], answer["newest_end"]
    if run is not None:
        ended = instant(run["finished_at"])
        yield "as of", f"{stamp(ended)} ({ago(ended, now)})"
        yield "days", days(run["window_start"], run["window_end"])
        yield "run", run["run_id"]
    if newest is not None:
        why = f" ({newest['error_code']})" if newest["error_code"] else ""
        yield (
            "since then",
            Text.assemble(marked(newest["status"]), f"{why}, {ago(instant(newest['finished_at']), now)}"),
        )
    for check in answer["checks"]:
        word, style = _HOLDS[check["holds"]]
        yield check["check"], Text.assemble((word, style), f": {check['detail']}")


def _coverage(found: Row) -> Iterator[tuple[str, Text | str]]:
    count = found["days"]
    if found["complete"]:
        span = f"{found['from']} to {found['to']}"
        yield "coverage", Text.assemble(("complete", "green"), f": {span}, {number(count['read'])} days read")
        return
    words = {"read": "read", "due": "due again", "never_read": "never read"}
    told = ", ".join(f"{number(count[state])} {word}" for state, word in words.items() if count[state])
    yield "coverage", Text.assemble(("not complete", "yellow"), f": {told}")
    open_ones = [each for each in found["stretches"] if each["state"] != "read"]
    for each in open_ones[:_STRETCHES]:
        yield "", f"{words[each['state']]}: {each['from']} to {each['to']}"
    if len(open_ones) > _STRETCHES:
        yield "", f"and {number(len(open_ones) - _STRETCHES)} more stretches; --json has them all"


def _mismatch(told: Row, width: int) -> Iterator[RenderableType]:
    first = told["days"][0]
    more = told["days_differing"] - 1
    yield Text()
    yield Text.assemble((f"first differing day {first['day']}", "bold"), f", and {number(more)} more" if more else "")
    bank, stored = ({name: first[f"{side}_{name}"] for name in _SIDES[:3]} for side in ("bank", "stored"))
    yield _both_sides(bank, stored, _SIDES[:3], width)
    if told["rows"]:
        yield Text()
        shown = len(told["rows"])
        rest = f", {number(shown)} shown" if told["rows_differing"] > shown else ""
        yield Text.assemble(("rows that differ: ", "bold"), f"{number(told['rows_differing'])}{rest}")
        yield differing_rows(told["rows"], width)
    if told["unread"]:
        yield Text(f"the rows could not be read again ({told['unread']})", style="yellow")


def _both_sides(bank: Row, stored: Row, names: Sequence[str], width: int) -> RenderableType:
    """The same figures of both sides, what is not alike marked."""
    styles = ["" if bank[name] == stored[name] else "bold red" for name in names]
    columns = (
        Column(title="", cells=[Text(name) for name in names]),
        _figures("Mono", bank, names, styles),
        _figures("stored", stored, names, styles),
        Column(
            title="",
            cells=[
                Text("" if bank[name] == stored[name] else "differs", style=style)
                for name, style in zip(names, styles, strict=True)
            ],
        ),
    )
    return fitting(columns, width)


def _figures(title: str, side: Row, names: Sequence[str], styles: Sequence[str]) -> Column:
    cells = [Text(_value(name, side[name]), style=style) for name, style in zip(names, styles, strict=True)]
    return Column(title=title, cells=cells, justify="right")


def differing_rows(rows: Sequence[Row], width: int) -> RenderableType:
    """Return a line for each field that differs, with both sides."""
    lines = [
        (row, name, sides)
        for row in rows
        for name, sides in (row["fields"].items() if row["fault"] == "differs" else [("", {})])
    ]
    columns = (
        Column(title="day", cells=[Text(row["day"]) for row, _, _ in lines], keep=2),
        Column(title="id", cells=[Text(row["id"]) for row, _, _ in lines]),
        Column(
            title="what",
            cells=[Text(name.removesuffix("_minor") or _FAULTS.get(row["fault"], "")) for row, name, _ in lines],
        ),
        Column(title="Mono", cells=[_side(row, name, sides, "bank") for row, name, sides in lines], keep=1),
        Column(title="stored", cells=[_side(row, name, sides, "stored") for row, name, sides in lines], keep=1),
    )
    return fitting(columns, width)


def _side(row: Row, name: str, sides: Row, side: str) -> Text:
    """A field's value on one side; of a row that one side alone has, its amount."""
    if name:
        return Text(_value(name, sides[side]), overflow="fold")
    amount = row["fields"].get("amount_minor", {}).get(side)
    return Text(NOTHING if amount is None else _value("amount_minor", amount))


def _value(name: str, value: Any) -> str:
    if value is None:
        return NOTHING
    if name in _MONEY:
        return money(value)
    return number(value) if isinstance(value, int) else str(value)


def _reason(answer: Row) -> str:
    return str(answer["error"]["code"] if "error" in answer else answer["verdict"]["reason"] or NOTHING)


def _as_of(answer: Row, now: datetime) -> str:
    run = answer.get("run")
    at = answer.get("read_at") or (run and run["finished_at"])
    return ago(instant(at), now) if at else NOTHING


def _complete(answer: Row) -> Text:
    if "coverage" not in answer:
        return Text(NOTHING)
    return Text("complete", style="green") if answer["coverage"]["complete"] else Text("not complete", style="yellow")


def _counts(kinds: Sequence[str]) -> str:
    order = ("verified", "unverifiable", "mismatch", "cannot tell")
    return ", ".join(f"{number(kinds.count(kind))} {kind}" for kind in order if kind in kinds)
