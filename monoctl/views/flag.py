"""The flag and its versions, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from mono_pipeline.core.flag import EVERYONE, FLAG_NAME, percentage_text
from monoctl.console.tables import facts
from monoctl.console.words import NOTHING, minute, stamp
from monoctl.flag_propagation import PROMISED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from mono_pipeline.core.flag import FlagRule
    from mono_pipeline.usecases.flag_editor import FlagEdit, FlagVersion
    from monoctl.flag_propagation import Propagation
    from monoctl.flag_trail import Recorded


def flag_view(flag: FlagVersion, parameter: str) -> RenderableType:
    """Return the flag as it is: what it means, its text, who wrote it and why."""
    return facts(
        [
            (FLAG_NAME, meaning(flag)),
            ("value", flag.value or NOTHING),
            ("version", str(flag.version)),
            ("changed", stamp(flag.changed_at)),
            ("by", flag.who or NOTHING),
            ("because", flag.why or NOTHING),
            ("parameter", parameter),
        ]
    )


def edit_view(edit: FlagEdit) -> RenderableType:
    """Return the flag before and after an edit."""
    before, after = edit.before, edit.after
    return facts(
        [
            ("before", Text.assemble(f"version {before.version}: ", meaning(before))),
            ("", Text(before.value or NOTHING, style="dim")),
            ("after", Text.assemble(f"version {after.version}: ", meaning(after))),
            ("", Text(after.value, style="dim")),
        ]
    )


def edit_document(edit: FlagEdit, propagation: Propagation | None, recorded: Recorded) -> dict[str, Any]:
    """Return an edit as JSON; `propagation` is null where it was not measured, `release` where none is open."""
    return {
        "before": flag_document(edit.before),
        "after": flag_document(edit.after),
        "notes": list(edit.notes),
        "propagation": None if propagation is None else asdict(propagation),
        "release": recorded.release,
        "problems": [] if recorded.problem is None else [recorded.problem],
    }


def propagation_view(propagation: Propagation | None) -> tuple[str, str]:
    """Return when a change is in force, and how to colour that."""
    if propagation is None:
        return f"In force everywhere within {PROMISED_SECONDS:.0f} s.", ""
    if propagation.seconds is None:
        return f"Written, but not seen in force: {propagation.problem}.", "yellow"
    late = f", later than the {PROMISED_SECONDS:.0f} s that are promised" if propagation.is_late else ""
    return f"The functions act by it after {propagation.seconds:.1f} s{late}.", "red" if late else "green"


def history_view(versions: Sequence[FlagVersion]) -> RenderableType:
    """Return a line for each version, in the order given; what is long takes more lines. The texts are in the JSON."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("version", justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("who", overflow="fold", max_width=26)
    table.add_column("value", ratio=1, overflow="fold")
    table.add_column("reason", ratio=1, overflow="fold")
    for each in versions:
        table.add_row(
            str(each.version),
            minute(each.changed_at),
            Text(each.who or NOTHING),
            meaning(each),
            Text(each.why or NOTHING),
        )
    return table


def flag_document(flag: FlagVersion) -> dict[str, Any]:
    """Return a version as JSON; `percentage` in percent."""
    rule = flag.rule
    return {
        "version": flag.version,
        "value": flag.value,
        "rule": None if rule is None else _rule_document(rule),
        "problem": flag.problem or None,
        "changed_at": flag.changed_at.isoformat() if flag.changed_at else None,
        "who": flag.who,
        "why": flag.why,
    }


def meaning(flag: FlagVersion) -> Text:
    """Return who the flag is on for, in words."""
    rule = flag.rule
    if rule is None:
        return Text(f"malformed, so off for everyone: {flag.problem}", style="bold red")
    if flag.version == 0:
        return Text("off for everyone: the parameter does not exist", style="yellow")
    if not rule.enabled:
        return Text("off for everyone", style="yellow")
    if rule.off_for_everyone:
        return Text("on, but for nobody", style="yellow")
    return Text(_who_is_on(rule), style="green")


def _who_is_on(rule: FlagRule) -> str:
    share = percentage_text(rule.percentage)
    people = (
        "everyone" if rule.percentage == EVERYONE.percentage else f"{share} % of accounts" if rule.percentage else ""
    )
    named = f"{len(rule.allow)} allowed" if rule.allow and rule.percentage < EVERYONE.percentage else ""
    but = f", but not for {len(rule.deny)} denied" if rule.deny else ""
    return f"on for {' and '.join(part for part in (people, named) if part)}{but}"


def _rule_document(rule: FlagRule) -> dict[str, Any]:
    return {
        "enabled": rule.enabled,
        "percentage": rule.percentage / 100,
        "allow": sorted(rule.allow),
        "deny": sorted(rule.deny),
        "salt": rule.salt,
    }
