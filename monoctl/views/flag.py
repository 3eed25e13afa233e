"""The flag and its versions, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from mono_pipeline.core.flag import EVERYONE, FLAG_NAME, percentage_text
from monoctl.console.tables import Column, facts, fitting
from monoctl.console.words import NOTHING, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from mono_pipeline.core.flag import FlagRule
    from mono_pipeline.usecases.flag_editor import FlagEdit, FlagVersion


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


def history_view(versions: Sequence[FlagVersion], width: int) -> RenderableType:
    """Return a line for each version, in the order given; value and reason take more lines where they must."""
    narrow = max(12, (width - 52) // 2)
    columns = (
        Column(title="version", cells=[Text(str(each.version)) for each in versions], justify="right"),
        Column(title="when", cells=[Text(stamp(each.changed_at)) for each in versions]),
        Column(title="who", cells=[_folded(each.who, 16) for each in versions]),
        Column(title="value", cells=[_folded(each.value, narrow) for each in versions]),
        Column(title="reason", cells=[_folded(each.why, narrow) for each in versions]),
    )
    return fitting(columns, width)


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


def _folded(text: str, width: int) -> Text:
    """Text cut into lines of `width` characters: the column takes no more room than that."""
    return Text("\n".join(text[at : at + width] for at in range(0, len(text), width)) or NOTHING)
