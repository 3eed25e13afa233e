"""A promotion: the flag's percentage raised step by step, each step a window that is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import EVERYONE, FlagChange, amend, percentage_text, render_flag
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import GateDecision
from monoctl.release_window import Cohorts, look_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mono_pipeline.usecases.flag_editor import FlagEditor, FlagVersion
    from monoctl.reach import AsksOps
    from monoctl.release_book import ReleaseBook
    from monoctl.release_terms import WindowTerms
    from monoctl.release_window import Look
    from monoctl.session import Session

    type Row = dict[str, Any]

STEPS: Final = (100, 500, 2_500, 5_000, 10_000)  # basis points: 1, 5, 25, 50, 100 %
SAMPLE: Final = 20  # accounts of a step that are synced again and again, so that there is something to judge


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step that was taken: to `percentage` basis points, by which `added` accounts came on.

    `look` is the last one at its window, None where nobody came on.
    """

    percentage: int
    added: int
    look: Look | None


@dataclass(frozen=True, kw_only=True)
class Coming:
    """Who would come on by a step to `percentage` basis points: how many, and some of them by name."""

    percentage: int
    accounts: int
    sample: list[str]


class Promotion:
    """Walks the steps that are left; it ends at the first that does not promote."""

    def __init__(
        self, session: Session, book: ReleaseBook, editor: FlagEditor, terms: WindowTerms, *, why: str
    ) -> None:
        self._session = session
        self._book = book
        self._editor = editor
        self._terms = terms
        self._why = why

    def check(self, *, without_canary: str | None) -> None:
        """Raise InvalidInput where no canary of this release has been promoted and nobody says why that is well."""
        judged = [event["detail"] for event in self._book.events() if event["kind"] == ReleaseEventKind.GATE_JUDGED]
        canary = next((each for each in reversed(judged) if each["stage"] == "canary"), None)
        if without_canary or (canary is not None and canary["decision"] == GateDecision.PROMOTE):
            return
        found = f"its canary says {canary['decision']} ({canary['reason']})" if canary else "it had no canary"
        raise InvalidInput(
            "--release", f"release {self._book.id}: {found}; `monoctl canary start`, or --without-canary"
        )

    def steps_left(self, steps: Sequence[int]) -> list[int]:
        """The steps above where the flag is; the one where it was held is judged again."""
        rule = self._editor.read_flag().rule
        if rule is None:
            raise MalformedFlag("the flag is malformed and off: set a whole value first")
        reached = rule.percentage if rule.enabled else 0
        held = self._held()
        return [
            step for step in steps if step > reached or (held is not None and step == reached == held["percentage"])
        ]

    def go(self, steps: Sequence[int], *, without_canary: str | None, watch: Callable[[Look], None]) -> list[Step]:
        """Take the steps; return those that were taken, the last of which may not have promoted.

        At 100 % the release is promoted.
        """
        self._book.record(
            ReleaseEventKind.PROMOTION_STARTED,
            steps=list(steps),
            minutes=self._terms.minutes,
            reason=self._why,
            without_canary=without_canary,
            without_alerts=self._terms.waived,
        )
        taken: list[Step] = []
        for percentage in steps:
            taken.append(self._take(percentage, watch))
            look = taken[-1].look
            if look is not None and look.verdict.decision is not GateDecision.PROMOTE:
                return taken
        rule = self._editor.read_flag().rule
        if rule is not None and rule.enabled and rule.percentage == EVERYONE.percentage:
            self._book.record(ReleaseEventKind.PROMOTION_FINISHED, percentage=rule.percentage)
        return taken

    def _take(self, percentage: int, watch: Callable[[Look], None]) -> Step:
        window, held = self._terms.window(self._session), self._held()
        opening = window.open()
        if held is not None and held["percentage"] == percentage:
            before, after = held["before"], self._editor.read_flag().value
        else:
            before, after = self._raise_to(percentage)
        cohort = self._session.reach.ops.ask("releases.cohort", before=before, after=after, sample=SAMPLE)
        self._book.record(
            ReleaseEventKind.PROMOTION_STEP,
            percentage=percentage,
            accounts=cohort["accounts"],
            before=before,
            after=after,
        )
        if not cohort["accounts"]:  # nobody came on by this step: there is nobody to judge
            return Step(percentage=percentage, added=0, look=None)
        plan = self._terms.plan(
            f"{percentage_text(percentage)} %", Cohorts(before=before, after=after), asked=tuple(cohort["sample"])
        )
        look = window.follow(plan, watch, opening)
        self._book.record(ReleaseEventKind.GATE_JUDGED, **look_document(look))
        if look.verdict.decision is GateDecision.HOLD:
            self._book.record(
                ReleaseEventKind.PROMOTION_HELD,
                percentage=percentage,
                before=before,
                reason=look.verdict.reason.value,
                sentence=look.verdict.sentence,
            )
        return Step(percentage=percentage, added=cohort["accounts"], look=look)

    def _raise_to(self, percentage: int) -> tuple[str, str]:
        """Raise the flag; return its text before and after."""
        reason = f"{self._book.id}: {percentage_text(percentage)} % ({self._why})"
        edit = self._editor.amend(FlagChange(percentage=percentage), who=self._session.reach.who, why=reason)
        self._book.record_flag(edit.before, edit.after)
        if edit.after.rule is None or not edit.after.rule.enabled:
            raise InvalidInput(
                "--step", "the kill switch is off: `monoctl flag set --on` when all behind it may come on"
            )
        return edit.before.value or "false", edit.after.value

    def _held(self) -> Row | None:
        """The step at which this release is held, if it is."""
        last = self._book.last(
            ReleaseEventKind.PROMOTION_STEP, ReleaseEventKind.PROMOTION_HELD, ReleaseEventKind.ROLLBACK_STARTED
        )
        return last["detail"] if last is not None and last["kind"] == ReleaseEventKind.PROMOTION_HELD else None


def next_cohort(ops: AsksOps, flag: FlagVersion, steps: Sequence[int]) -> Coming | None:
    """Return who would come on by the first step that adds anybody; None where none does. Raises MalformedFlag."""
    if flag.rule is None:
        raise MalformedFlag("the flag is malformed and off: set a whole value first")
    before = render_flag(flag.rule)
    for percentage in steps:
        after = render_flag(amend(flag.rule, FlagChange(enabled=True, percentage=percentage)).rule)
        cohort = ops.ask("releases.cohort", before=before, after=after, sample=SAMPLE)
        if cohort["accounts"]:
            return Coming(percentage=percentage, accounts=cohort["accounts"], sample=cohort["sample"])
    return None
