"""`verify` without Mono: the verdict that stands of an account, and what the tables say of themselves now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.verification_store import VerificationStore
from mono_pipeline.core.account_verdict import (
    CHAIN_REASONS,
    AccountVerdict,
    recorded_verdict,
)
from mono_pipeline.core.balance_chain import ChainState
from mono_pipeline.core.booking import DateWindow, booking_date
from mono_pipeline.core.verdict import VerdictKind, VerdictReason

if TYPE_CHECKING:
    from mono_pipeline.adapters.evidence_store import Questions
    from mono_pipeline.adapters.postgres import Row
    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]
    type Check = dict[str, Any]


class Verification:
    """Checks one account. Nothing is written."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._store = VerificationStore(collaborators.database)

    def recorded(self, account: Account) -> Event:
        """The verdict that stands with its run, and every check that needs no Mono, each with `holds` and `detail`.

        A mismatch stands until a run that has read its days says otherwise. `holds` is null where a check can say
        nothing.
        """
        run, newest = self._store.standing_run(account), self._store.newest_end(account)
        history = self._history(account)
        questions = self._store.questions(account)
        reason, balances = self._balances(account, run)
        verdict = recorded_verdict(
            None if run is None else _verdict_of(run),
            history_holds=all(check["holds"] for check in history),
            chain=reason,
            suspicions=questions.suspicions,
            removals=questions.removals,
            quarantined=questions.quarantined,
        )
        return {
            "account_id": account.mono_account_id,
            "verdict": verdict.as_json(),
            "run": run,
            "newest_end": newest if newest and (run is None or newest["run_id"] != run["run_id"]) else None,
            "checks": [*history, balances, _questions(questions)],
        }

    def _history(self, account: Account) -> list[Check]:
        history, rebuilt = self._store.history(account), self._store.rebuilt(account)
        gaps = f"{history.broken:,} with gaps, as {history.example}" if history.broken else "no gaps"
        alike = rebuilt.held == rebuilt.rebuilt
        rows = f"{rebuilt.held[0]:,} rows" if alike else f"{rebuilt.held[0]:,} rows, rebuilt {rebuilt.rebuilt[0]:,}"
        return [
            _check("history", not history.broken, f"{history.older_versions:,} older versions, {gaps}"),
            _check("rebuild", alike, f"{rows}, {'as' if alike else 'not as'} their versions rebuild them"),
        ]

    def _balances(self, account: Account, run: Row | None) -> tuple[VerdictReason | None, Check]:
        """Whether the running balances still carry what a verified run answered for."""
        full = self._store.full_run(account)
        if full is not None and full["verdict"] == VerdictKind.VERIFIED:
            run = full  # the widest claim that was made
        days = DateWindow(start=run["window_start"], end=run["window_end"]) if run and run["window_start"] else None
        chain = self._store.chain(account, days)
        # the account's balance is where the newest days end, not those of some month before
        reaches_its_day = run is None or days is None or days.end >= booking_date(run["finished_at"])
        balance = self._store.balance(account) if reaches_its_day else None
        if chain.state is not ChainState.HOLDS:
            since = f" (from {chain.first_bad_day})" if chain.first_bad_day else ""
            return CHAIN_REASONS[chain.state], _check("balances", None, f"{CHAIN_REASONS[chain.state]}{since}")
        if None not in (balance, chain.closing) and balance != chain.closing:
            return VerdictReason.BALANCE_AHEAD, _check("balances", None, f"{VerdictReason.BALANCE_AHEAD}")
        return None, _check("balances", holds=True, detail="each is the one before it plus its amount")


def _verdict_of(run: Row) -> AccountVerdict:
    reason = run["verdict_reason"]
    return AccountVerdict(
        kind=VerdictKind(run["verdict"]),
        reason=VerdictReason(reason) if reason else None,
        first_bad_day=run["first_bad_day"],
    )


def _questions(found: Questions) -> Check:
    counts = (
        (found.suspicions, "suspected duplicates"),
        (found.removals, "rows missed once"),
        (found.quarantined, "quarantined rows"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return _check("questions", None if told else True, told or "none open")


def _check(name: str, holds: bool | None, detail: str) -> Check:  # noqa: FBT001 - three-valued
    return {"check": name, "holds": holds, "detail": detail}
