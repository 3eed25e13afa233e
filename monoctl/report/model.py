"""A release's report as values: what the page shows and the JSON says. None is what nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Tone(StrEnum):
    """How something is to be taken."""

    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"
    PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time, both ends included."""

    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Who, when, what, where.

    Attributes:
        ended_at: the last event of a release that is not open any more.
        seen_until: the end of what the report looks at: that, else when it was made.
    """

    release: str
    environment: str
    status: str
    version: str
    actor: str
    reason: str
    began_at: datetime
    ended_at: datetime | None
    seen_until: datetime
    made_at: datetime
    made_by: str
    made_with: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the release stands, in a word, and why in a sentence; `at` and `who` of the event that says so."""

    tone: Tone
    word: str
    sentence: str
    at: datetime
    who: str


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One event of the trail, told."""

    at: datetime
    who: str
    kind: str
    title: str
    says: str
    tone: Tone


@dataclass(frozen=True, kw_only=True)
class FlagStep:
    """One change of the flag.

    Attributes:
        percent: the share of accounts that it is on for, 0 where it is off.
        allowed: how many accounts are on by name.
        in_trail: the release itself has it on record; of another one only SSM tells.
        propagation_seconds: from the edit until it was seen in force.
    """

    at: datetime
    who: str
    why: str
    version: int
    value: str
    meaning: str
    percent: float
    allowed: int
    in_trail: bool
    propagation_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class FlagCourse:
    """The flag from the release's begin on; None where nothing says what it was before the first change."""

    percent_before: float | None
    meaning_before: str | None
    steps: tuple[FlagStep, ...]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One verdict of the gate with the numbers of those judged. Alerts are names, None where nobody could tell."""

    at: datetime
    who: str
    stage: str
    decision: str
    reason: str
    sentence: str
    tone: Tone
    open_seconds: float | None
    accounts: int | None
    completed: int | None
    failed: int | None
    p95_seconds: float | None
    mismatches: int | None
    suspicions: int | None
    alerts_canary: tuple[str, ...] | None
    alerts_fleet: tuple[str, ...] | None
    alerts_waived: bool


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What ended in one slot of time. p95 in seconds, of fetches; `errors` are failed runs by reason."""

    at: datetime
    runs: int
    failed: int
    p95_canary: float | None
    p95_rest: float | None
    errors: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The whole period in numbers; `p95_seconds` over all fetches of it."""

    accounts: int
    runs: int
    failed: int
    fetches: int
    slow: int
    p95_seconds: float | None
    verified: int
    unverifiable: int
    mismatches: int
    zero_runs: int


@dataclass(frozen=True, kw_only=True)
class RunCourse:
    """Runs over time; slots in which nothing ended are left out."""

    slot_seconds: float
    sla_seconds: float
    whole: Figures
    slots: tuple[Slot, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How the runs of one account ended in one column: the gravest word, and how many runs there were."""

    column: int
    word: str
    runs: int


@dataclass(frozen=True, kw_only=True)
class AccountRow:
    """One account's runs. `why` is the newest reason for one that was not verified."""

    account_id: str
    canary: bool
    runs: int
    verified: int
    unverifiable: int
    mismatches: int
    failed: int
    why: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class VerdictMatrix:
    """Accounts by time, the worst first. `found` is how many had a run; those that do not fit are left out."""

    slot_seconds: float
    columns: tuple[datetime, ...]
    found: int
    rows: tuple[AccountRow, ...]


@dataclass(frozen=True, kw_only=True)
class AlertLook:
    """What a gate saw of the required alerts when it judged; None where it could not tell."""

    at: datetime
    firing: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class AlertLane:
    """One alert and when it fired."""

    name: str
    firing: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True)
class AlertCourse:
    """Alerts over time; in `known` rules were evaluated. `problem` is why Prometheus has not told, but gates alone."""

    known: tuple[Span, ...]
    lanes: tuple[AlertLane, ...]
    looks: tuple[AlertLook, ...]
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """An account that became a dead letter in the period and is one still."""

    account_id: str
    at: datetime
    reason: str | None
    failures: int


@dataclass(frozen=True, kw_only=True)
class LetterGroup:
    """Messages that were archived without being done."""

    type: str
    reason: str
    archived_as: str
    messages: int
    accounts: int


@dataclass(frozen=True, kw_only=True)
class LetterAction:
    """What somebody did about dead letters."""

    at: datetime
    who: str
    action: str
    says: str


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """`waiting` is how many messages the queue had when the report was made."""

    waiting: int | None
    found: int
    accounts: tuple[GivenUp, ...]
    archived: tuple[LetterGroup, ...]
    actions: tuple[LetterAction, ...]


@dataclass(frozen=True, kw_only=True)
class CheckItem:
    """One line of the checklist; without `who` and `at` it is not on record."""

    name: str
    tone: Tone
    state: str
    says: str
    who: str | None
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of it. `untold` says which sources did not answer, and why."""

    facts: Facts
    outcome: Outcome
    checklist: tuple[CheckItem, ...]
    story: tuple[Moment, ...]
    flag: FlagCourse
    gates: tuple[Gate, ...]
    runs: RunCourse | None
    alerts: AlertCourse
    verdicts: VerdictMatrix | None
    dead_letters: DeadLetters | None
    untold: tuple[str, ...]
