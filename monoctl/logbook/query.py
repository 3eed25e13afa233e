"""What is looked for in the logs, and the two ways to look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from monoctl.logbook.log_line import LogLine

_CORRELATION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Lines written at `since` or later that name the account and the correlation id, where these are given.

    `everything` adds what is no event of ours: the runtime's lines and metrics. Raises InvalidInput for an id that is
    none: it becomes a part of CloudWatch's filter pattern.
    """

    since: datetime
    account_id: str | None = None
    correlation_id: str | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        if self.account_id is not None:
            parse_account_id(self.account_id)
        if self.correlation_id is not None and not _CORRELATION_ID.fullmatch(self.correlation_id):
            raise InvalidInput("--correlation-id", "is no correlation id: at most 64 letters, digits and '_.:-'")

    def chosen(self, lines: Iterable[LogLine]) -> list[LogLine]:
        """Return the lines that are looked for, oldest first; a line without a time stays behind the one before it."""
        return [line for line in _by_time(lines) if self._wants(line)]

    def _wants(self, line: LogLine) -> bool:
        recent = line.at is None or line.at >= self.since
        told = line.tells_of(account_id=self.account_id, correlation_id=self.correlation_id)
        return recent and told and (self.everything or line.is_event)


class LogSource(Protocol):
    """Where logs are."""

    def past(self, query: LogQuery) -> Iterable[LogLine]:
        """Return what was written up to now."""
        ...

    def follow(self, query: LogQuery) -> Iterator[LogLine]:
        """Return what was written up to now and go on, as it is written, without an end."""
        ...


def _by_time(lines: Iterable[LogLine]) -> list[LogLine]:
    keyed: list[tuple[datetime | None, LogLine]] = []
    latest: dict[str, datetime] = {}  # per source: its lines come in order
    for line in lines:
        if line.at is not None:
            latest[line.source] = line.at
        keyed.append((line.at or latest.get(line.source), line))
    untimed = [line for at, line in keyed if at is None]
    timed = sorted(((at, line) for at, line in keyed if at is not None), key=lambda pair: pair[0])
    return untimed + [line for _, line in timed]
