"""Places that are held for a while: Lambda environments, the processors of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simpy

if TYPE_CHECKING:
    from types import TracebackType

    from simpy.resources.resource import Request


class Station:
    """So many places and a queue before them, first come, first served; it remembers how busy it was."""

    def __init__(self, env: simpy.Environment, *, places: int) -> None:
        self._env = env
        self._resource = simpy.Resource(env, capacity=places)
        self._busy_area = 0.0
        self._changed_at = 0.0
        self.places = places
        self.peak = 0
        self.served = 0

    def place(self) -> Place:
        """A place for a `with` block, whose first step is to yield the request."""
        return Place(self, self._resource)

    @property
    def busy(self) -> int:
        """How many places are held now."""
        return self._resource.count

    @property
    def waiting(self) -> int:
        """How many wait for a place now."""
        return len(self._resource.queue)

    @property
    def busy_seconds(self) -> float:
        """Seconds of places held so far, all places together."""
        return self._busy_area + self._resource.count * (self._env.now - self._changed_at)

    @property
    def utilisation(self) -> float:
        """The share of its places' time that was held so far."""
        return self.busy_seconds / (self._env.now * self.places) if self._env.now else 0.0

    def note(self, held_before: int) -> None:
        """A place was taken or left; `held_before` were held since the last time."""
        self._busy_area += held_before * (self._env.now - self._changed_at)
        self._changed_at = self._env.now
        self.peak = max(self.peak, self._resource.count)


class Place:
    """One place, from the wish for it to its end."""

    def __init__(self, station: Station, resource: simpy.Resource) -> None:
        self._station = station
        self._resource = resource

    def __enter__(self) -> Request:
        before = self._resource.count
        self._request = self._resource.request()
        if self._request.triggered:
            self._station.note(before)
        return self._request

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before = self._resource.count
        self._resource.release(self._request)
        self._station.note(before)
        self._station.served += 1
