"""Dead letters in PostgreSQL: who asked what of them and what became of each; what was archived; what is still owed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import Struct

from mono_pipeline.adapters.queue import REPLAY
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.dead_letter import FetchFailed, kept_body
from mono_pipeline.core.identity import message_group
from mono_pipeline.core.replay import TAKES_OFF, Outcome, Standing
from mono_pipeline.core.run import LinkStatus, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.dead_letter import QueuedMessage
    from mono_pipeline.core.replay import Asked, Sorted

_SQL = statements("dead_letters")
_MOST_GROUPS = 200
_MOST_HIDDEN = 1_000


class ActionRow(Struct, frozen=True, kw_only=True):
    """An action as it is written down; `now` is the database's clock when it was read."""

    seen: int
    expected: int
    finished: bool
    refused: str | None
    now: datetime


class Woken(Struct, frozen=True, kw_only=True):
    """An account for which a run stands asked for: what to send, and of which queue the run is."""

    account_id: str
    group: str
    kind: RunKind
    correlation_id: str
    replays: int


class Decided(Struct, frozen=True, kw_only=True):
    """An earlier decision on a message; `by_this` action, or by one that was cut short."""

    outcome: Outcome
    by_this: bool


class DeadLetterStore:
    """Actions, decisions, archive, and the messages that accounts owe their queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsent(self, *, quiet_seconds: float, limit: int) -> list[FetchFailed]:
        """Messages that nobody has noted as sent, of accounts that became dead letters `quiet_seconds` ago."""
        rows = self._database.rows(_SQL["unsent_letters"], quiet_seconds=quiet_seconds, limit=limit)
        return [FetchFailed(**{**row, "run_id": str(row["run_id"])}) for row in rows]

    def note_sent(self, run_id: str) -> None:
        """The queue has the message of this run."""
        self._database.rows(_SQL["note_sent"], run_id=run_id)

    def begin(self, asked: Asked, *, expected: int) -> Row:
        """Write an action down, or find it: returns it as the table has it."""
        self._database.rows(
            _SQL["begin_action"],
            action_id=asked.action_id,
            action=asked.action,
            dry_run=not asked.changes,
            forced=asked.force,
            filter=json.dumps(filter_words(asked)),
            most=asked.most,
            per_second=asked.per_second,
            asked_by=asked.asked_by,
            correlation_id=asked.correlation_id,
            expected=expected,
        )
        return self._database.rows(_SQL["show_action"], action_id=asked.action_id)[0]

    def forget_old(self) -> None:
        """Forget the single messages of actions that ended more than 30 days ago."""
        self._database.rows(_SQL["forget_decisions"])

    def standings(self, action_id: UUID, mono_account_ids: Iterable[str]) -> dict[str, Standing]:
        """How the accounts of letters stand, by the id that the letter has; an unknown account is left out."""
        ids = sorted(set(mono_account_ids))
        if not ids:
            return {}
        rows = self._database.rows(_SQL["standings"], action_id=action_id, mono_account_ids=ids)
        return {row["asked_id"]: _standing(row) for row in rows}

    def decided(self, action_id: UUID, messages: Iterable[QueuedMessage]) -> dict[str, Decided]:
        """Earlier decisions on these messages, by message id; one that takes a message off goes before any other."""
        rows = self._database.rows(
            _SQL["decided"],
            action_id=action_id,
            message_ids=[message.message_id for message in messages],
            takes_off=sorted(TAKES_OFF),
        )
        found: dict[str, Decided] = {}
        for row in sorted(rows, key=lambda row: row["outcome"] in TAKES_OFF):
            found[row["message_id"]] = Decided(outcome=Outcome(row["outcome"]), by_this=row["by_this"])
        return found

    def decide(self, asked: Asked, letters: Sequence[Sorted], *, seen: int) -> None:
        """Write decisions down, once a message, and how many messages were seen."""
        action_id = asked.action_id
        if letters:
            told = json.dumps([_as_decision(each, left=each.is_left_by(asked)) for each in letters], default=str)
            self._database.rows(_SQL["decide"], action_id=action_id, letters=told)
        self._database.rows(_SQL["count_seen"], action_id=action_id, messages=seen)

    def take_hidden(self, action_id: UUID) -> dict[str, str]:
        """Up to 1,000 messages that the action left and has not shown again, each once: receipts by message id."""
        rows = self._database.rows(_SQL["take_hidden"], action_id=action_id, limit=_MOST_HIDDEN)
        return {row["message_id"]: row["receipt"] for row in rows}

    def archive(self, action_id: UUID, letters: Sequence[Sorted]) -> None:
        """Keep messages that are taken off the queue without being served."""
        if letters:
            told = json.dumps([_as_archived(each) for each in letters], default=str)
            self._database.rows(_SQL["archive"], action_id=action_id, letters=told)

    def request_replays(self, action_id: UUID, correlation_ids: Mapping[int, str]) -> list[Woken]:
        """Ask for a run of each account (our id), under the correlation id of its letter, and count the replay."""
        if not correlation_ids:
            return []
        accounts = [
            {"id": account, "run_id": str(uuid4()), "correlation_id": correlation_id}
            for account, correlation_id in correlation_ids.items()
        ]
        rows = self._database.rows(
            _SQL["request_replays"], action_id=action_id, accounts=json.dumps(accounts), requested_by=REPLAY
        )
        return [
            Woken(
                account_id=row["mono_account_id"],
                group=message_group(row["mono_customer_id"], row["mono_account_id"]),
                kind=RunKind(row["kind"]),
                correlation_id=row["correlation_id"],
                replays=row["replays"],
            )
            for row in rows
        ]

    def finish(self, action_id: UUID, *, refused: str | None = None) -> None:
        """End an action, with what became of how many messages; `refused` says why nothing was done."""
        self._database.rows(_SQL["finish_action"], action_id=action_id, refused=refused)

    def groups(self, action_id: UUID) -> list[Row]:
        """What an action found, by type, reason and outcome."""
        return self._database.rows(
            _SQL["groups"], action_id=action_id, not_matched=Outcome.NOT_MATCHED, limit=_MOST_GROUPS
        )

    def outcomes(self, action_id: UUID) -> dict[str, Row]:
        """Messages and accounts by outcome."""
        return {
            row["outcome"]: {"messages": row["messages"], "accounts": row["accounts"]}
            for row in self._database.rows(_SQL["outcomes"], action_id=action_id)
        }

    def letters(self, action_id: UUID, *, limit: int) -> list[Row]:
        """The oldest letters that an action found."""
        return self._database.rows(_SQL["letters"], action_id=action_id, not_matched=Outcome.NOT_MATCHED, limit=limit)

    def pause(self) -> tuple[float, str] | None:
        """For how many seconds and why nobody may call Mono; None when everybody may."""
        row = self._database.row(_SQL["provider_pause"])
        return (float(row["seconds"]), str(row["reason"])) if row else None


def filter_words(asked: Asked) -> dict[str, str | None]:
    """A filter as it was given."""
    given = asked.filter
    return {
        "type": given.type,
        "account_id": given.account_id,
        "reason": given.reason,
        "older_than": given.older_than_text,
    }


def _standing(row: Row) -> Standing:
    return Standing(
        id=row["id"],
        mono_account_id=row["mono_account_id"],
        first_mono_account_id=row["first_mono_account_id"],
        link_status=LinkStatus(row["link_status"]),
        replays=row["replays"],
        last_run_id=str(row["last_run_id"]) if row["last_run_id"] else None,
        last_error=row["last_error"],
    )


def _as_decision(each: Sorted, *, left: bool = False) -> dict[str, Any]:
    letter, standing = each.letter, each.standing
    return {
        "message_id": letter.message.message_id,
        "type": letter.type,
        "account_id": standing.mono_account_id if standing else letter.account_id,
        "correlation_id": letter.correlation_id,
        "run_id": letter.run_id or (standing.last_run_id if standing and letter.of_an_account else None),
        "reason": each.reason,
        "receives": letter.message.receives,
        "replays": each.replays,
        "outcome": each.outcome,
        "sent_at": letter.message.sent_at.isoformat(),
        "receipt": letter.message.receipt if left else None,
    }


def _as_archived(each: Sorted) -> dict[str, Any]:
    body = each.letter.message.body
    return {**_as_decision(each), "body": kept_body(body), "body_length": len(body)}
