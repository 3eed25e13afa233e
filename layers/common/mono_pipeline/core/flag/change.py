"""One edit of the flag's rule, as an operator means it."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag.rule import BUCKETS, FlagRule

if TYPE_CHECKING:
    from collections.abc import Iterator


class FlagChange(Struct, frozen=True, kw_only=True):
    """What to change; None and empty leave as it is. The kill switch keeps lists, percentage and salt behind it.

    Attributes:
        enabled: the kill switch.
        percentage: in basis points, 0 to 10,000.
        allow: ids to put on the allow list, `unallow` to take off it; likewise `deny` and `undeny`.
        salt: another salt deals every account anew.
    """

    enabled: bool | None = None
    percentage: int | None = None
    allow: frozenset[str] = frozenset()
    unallow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    undeny: frozenset[str] = frozenset()
    salt: str | None = None


class Amendment(Struct, frozen=True, kw_only=True):
    """The rule after a change, and what the operator should know about it, one sentence each."""

    rule: FlagRule
    notes: tuple[str, ...] = ()


def amend(rule: FlagRule, change: FlagChange) -> Amendment:
    """Return the rule with the change in it; raise InvalidInput for a change that contradicts itself or a bad value.

    A rule that keeps nobody behind its kill switch, as plain `false`, is turned on by the first allow or percentage:
    only those who were named come on. Behind a kill switch that keeps others, the switch stays until it is turned.
    """
    _check(change)
    amended = replace(
        rule,
        enabled=_switch(rule, change),
        percentage=rule.percentage if change.percentage is None else change.percentage,
        allow=(rule.allow | change.allow) - change.unallow,
        deny=(rule.deny | change.deny) - change.undeny,
        salt=rule.salt if change.salt is None else change.salt,
    )
    return Amendment(rule=amended, notes=tuple(_notes(rule, amended, change)))


def _check(change: FlagChange) -> None:
    for name, added, removed in (
        ("allow", change.allow, change.unallow),
        ("deny", change.deny, change.undeny),
    ):
        both = sorted(added & removed)
        if both:
            raise InvalidInput(name, f"{both[0]} is to be put on the list and taken off it")


def _switch(rule: FlagRule, change: FlagChange) -> bool:
    if change.enabled is not None:
        return change.enabled
    keeps_nobody = rule.percentage == 0 and not rule.allow
    return rule.enabled or (keeps_nobody and bool(change.allow or change.percentage))


def _notes(before: FlagRule, after: FlagRule, change: FlagChange) -> Iterator[str]:
    if not after.enabled and (change.allow or change.percentage):
        yield "The kill switch is still off. It keeps more than was named now: --enable turns all of it on."
    elif after.enabled and not before.enabled and change.enabled is None:
        yield "The flag was off for everyone; it is now on, for those named here only."
    if after.enabled and after.off_for_everyone:
        yield "On, but for nobody: the percentage is 0 and no account is allowed. `true` is everyone."
    if after.enabled and after.percentage == BUCKETS and change.allow:
        yield "The flag stays on for everyone (100 %); the allow list matters once the percentage is lower."
    for account_id in sorted(after.deny & (change.allow | change.deny) & after.allow):
        yield f"{account_id} is on both lists: deny wins, it stays off."
    if change.salt is not None and change.salt != before.salt and 0 < after.percentage < BUCKETS:
        yield "Another salt: the percentage now picks other accounts."
