"""A canary: a few accounts that the flag lets in by name, followed through a window, and taken out when they break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import EVERYONE, FlagChange
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import GateDecision
from monoctl.flag_propagation import PATIENCE_SECONDS
from monoctl.release_window import Cohorts, look_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mono_pipeline.usecases.flag_editor import FlagEditor, FlagVersion
    from monoctl.release_book import ReleaseBook
    from monoctl.release_terms import WindowTerms
    from monoctl.release_window import Look
    from monoctl.session import Session

    type Row = dict[str, Any]

_ASK_AGAIN: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class CanaryEnd:
    """How a canary ended.

    `propagation_seconds` is from the edit to the first answer by it, None where none was seen.
    """

    look: Look
    propagation_seconds: float | None
    taken_out: bool


class CanaryWalk:
    """Starts, follows and stops the canary of one release."""

    def __init__(self, session: Session, book: ReleaseBook, editor: FlagEditor) -> None:
        self._session = session
        self._book = book
        self._editor = editor

    def start(
        self, accounts: Sequence[str], terms: WindowTerms, *, why: str, watch: Callable[[Look], None]
    ) -> CanaryEnd:
        """Let the accounts in, follow the window, and take them out again where the gate rolls back."""
        check_canary(self._editor.read_flag(), accounts)
        window = terms.window(self._session)
        opening = window.open()
        propagation = self._let_in(accounts, why)
        self._book.record(
            ReleaseEventKind.CANARY_STARTED,
            accounts=list(accounts),
            minutes=terms.minutes,
            every_minutes=terms.every,
            without_alerts=terms.waived,
            propagation_seconds=propagation,
        )
        plan = terms.plan("canary", Cohorts(accounts=tuple(accounts)), asked=tuple(accounts))
        look = window.follow(plan, watch, opening)
        self._book.record(ReleaseEventKind.GATE_JUDGED, **look_document(look))
        rolls_back = look.verdict.decision is GateDecision.ROLL_BACK
        if rolls_back:
            self.stop(accounts, why=f"rolled back ({look.verdict.reason}): {look.verdict.sentence}")
            self._book.record(
                ReleaseEventKind.ROLLBACK_FINISHED,
                scope="canary",
                reason=look.verdict.reason.value,
                sentence=look.verdict.sentence,
            )
        return CanaryEnd(look=look, propagation_seconds=propagation, taken_out=rolls_back)

    def stop(self, accounts: Sequence[str], *, why: str) -> None:
        """Take the accounts off the allow list; who is on by the percentage stays on."""
        edit = self._editor.amend(FlagChange(unallow=frozenset(accounts)), who=self._session.reach.who, why=why)
        self._book.record_flag(edit.before, edit.after)
        self._book.record(ReleaseEventKind.CANARY_STOPPED, accounts=list(accounts), reason=why)

    def _let_in(self, accounts: Sequence[str], why: str) -> float | None:
        began = self._session.wiring.monotonic()
        edit = self._editor.amend(FlagChange(allow=frozenset(accounts)), who=self._session.reach.who, why=why)
        propagation = self._seen_after(accounts[0], began)
        self._book.record_flag(edit.before, edit.after, propagation_seconds=propagation)
        return propagation

    def _seen_after(self, account: str, began: float) -> float | None:
        """Seconds until the API decides by the new value: it is asked for a sync until it does not defer it."""
        wiring = self._session.wiring
        while wiring.monotonic() - began < PATIENCE_SECONDS:
            if self._session.reach.api.ask(account, start=None, end=None).status != "deferred":
                return round(wiring.monotonic() - began, 2)
            wiring.pause(_ASK_AGAIN)
        return None


def named(accounts: Sequence[str]) -> Sequence[str]:
    """Return the accounts of a canary; raise InvalidInput for none."""
    if not accounts:
        raise InvalidInput("--account", "name at least one")
    return accounts


def check_canary(flag: FlagVersion, accounts: Sequence[str]) -> None:
    """Refuse a canary that would show nothing, before anything is written. Raises InvalidInput, MalformedFlag."""
    rule = flag.rule
    named(accounts)
    if rule is None:
        raise MalformedFlag(f"the flag is malformed and off ({flag.problem}): set a whole value first")
    if rule.enabled and rule.percentage == EVERYONE.percentage:
        raise InvalidInput("--account", "the flag is on for everyone already: `monoctl watch` follows what they do")
    denied = sorted(set(accounts) & rule.deny)
    if denied:
        raise InvalidInput("--account", f"{denied[0]} is on the deny list, which goes before the allow list")
    if not rule.enabled and (rule.percentage or rule.allow):
        kept = "the kill switch keeps a percentage or accounts that would come on with the canary"
        raise InvalidInput("--account", f"{kept}: `monoctl flag set false` first")
