"""What must hold before a release, as the functions themselves see it: each question has an action of its own."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.preflight_store import PreflightStore
from mono_pipeline.core.errors import InvalidInput, MonoError, ProviderPaused
from mono_pipeline.core.flag import render_flag
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Preflight:
    """Serves `preflight.settings|flag|database|mono|arrival`. Nothing is written but what the call to Mono costs."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def settings(self) -> Event:
        """The settings that are no secrets. That there is an answer says that all of them are of their form."""
        settings = self._with.settings
        return {
            "environment": settings.environment,
            "mono_base_url": settings.mono_base_url,
            "mono_app_id": settings.mono_app_id,
            "database_sslmode": settings.database_sslmode,
            "realtime_monthly_cap_ngn": settings.realtime_monthly_cap_ngn,
        }

    def flag(self) -> Event:
        """The flag as this environment decides by it now."""
        reading = self._with.flag.read(max_age=0.0)
        return {
            "rule": render_flag(reading.rule) if reading.rule else None,
            "off_for_everyone": reading.off_for_everyone,
            "version": reading.version,
            "problem": reading.problem,
            "detail": reading.detail,
        }

    def database(self) -> Event:
        """Who is connected, to which server, over what; `sslmode` says whether the certificate was verified."""
        return {**PreflightStore(self._with.database).connection(), "sslmode": self._with.settings.database_sslmode}

    def mono(self, deadline: Deadline) -> Event:
        """Whether Mono serves us: one page of the account list, paid for like any call."""
        calls = PaidCalls(
            budget=self._with.budget,
            patience=self._with.patience(),
            executor=self._with.executor,
            deadline=deadline,
        )
        try:
            page = calls.once(partial(self._with.mono.accounts, page=1, deadline=deadline))
        except (MonoError, ProviderPaused) as error:
            return {"reached": False, "accounts": None, "problem": f"{type(error).__name__}: {error}"}
        finally:
            self._with.budget.give_back()
        return {"reached": True, "accounts": page.total, "problem": None}

    def arrival(self, event: Event) -> Event:
        """Whether the event `event_id` went through door, queue and worker. Raises InvalidInput."""
        event_id = str(event.get("event_id", ""))
        if not _EVENT_ID.fullmatch(event_id):
            raise InvalidInput("event_id", "is no id of an event")
        found = PreflightStore(self._with.database).arrival(event_id)
        return {
            "arrived": found is not None,
            "effect": found and found["effect"],
            "seconds": found and found["seconds"],
        }
