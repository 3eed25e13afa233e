"""The logs of an environment on AWS: CloudWatch Logs, read by FilterLogEvents.

Polling and not StartLiveTail: a tail starts at now and is paid by the minute, and what an operator follows mostly began
a minute ago.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.errors import ConfigurationError
from monoctl.logbook.log_line import LogLine, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_logs import CloudWatchLogsClient

    from monoctl.logbook.query import LogQuery

LOOK_SECONDS: Final = 2.0
# CloudWatch shows an event some seconds after its time, and not in order: every look goes back this far.
_LATE: Final = timedelta(seconds=60)
_REMEMBERED: Final = 20_000  # event ids, many more than a minute of logs brings


class LogGroups:
    """The log groups whose names start with `prefix`. `pause` waits between two looks, `now` is the wall clock."""

    def __init__(
        self,
        client: CloudWatchLogsClient,
        prefix: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._pause = pause
        self._now = now

    def past(self, query: LogQuery) -> list[LogLine]:
        """Return what CloudWatch has from `query.since` on."""
        return query.chosen(line for _, line in self._events(query, self._groups(), since=query.since))

    def follow(self, query: LogQuery) -> Iterator[LogLine]:
        """Return what CloudWatch has, then each event once as it arrives."""
        groups = self._groups()
        shown: deque[str] = deque(maxlen=_REMEMBERED)
        since = query.since
        for look in count():
            if look:
                self._pause(LOOK_SECONDS)
            looked_at = self._now()
            new = {key: line for key, line in self._events(query, groups, since=since) if key not in set(shown)}
            shown.extend(new)
            yield from query.chosen(new.values())
            since = max(query.since, looked_at - _LATE)

    def _groups(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self._prefix)
        names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        if not names:
            raise ConfigurationError(f"{self._prefix}*", "no such log group: is the environment deployed here?")
        return names

    def _events(self, query: LogQuery, groups: list[str], *, since: datetime) -> Iterator[tuple[str, LogLine]]:
        wanted: dict[str, Any] = {"startTime": int(since.timestamp() * 1000), **_pattern(query)}
        for group in groups:
            source = group.removeprefix(self._prefix)
            for page in self._client.get_paginator("filter_log_events").paginate(logGroupName=group, **wanted):
                for event in page["events"]:
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                    yield event["eventId"], read_line(event["message"].rstrip("\n"), source=source, at=at)


def _pattern(query: LogQuery) -> dict[str, str]:
    """CloudWatch's own filter: far less is sent than is logged. Ids hold nothing that could leave the quotes."""
    wanted = {"account_id": query.account_id, "correlation_id": query.correlation_id}
    terms = [f'($.{name} = "{value}")' for name, value in wanted.items() if value is not None]
    return {"filterPattern": f"{{ {' && '.join(terms)} }}"} if terms else {}
