"""One call that tells whether Mono serves us again, made by the tick while the circuit is open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import MonoError, ProviderPaused
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators


def probe_provider(collaborators: Collaborators, deadline: Deadline) -> None:
    """Ask for Mono's account list where the circuit is open and its probe is due; a success closes the circuit.

    Before the tick sends for what is due: without it the first account whose time has come would be the probe, and all
    others would wait for the tick after. Raises DependencyUnavailable.
    """
    if collaborators.budget.open_reason() is None:
        return
    calls = PaidCalls(
        budget=collaborators.budget,
        patience=collaborators.patience(),
        executor=collaborators.executor,
        deadline=deadline,
    )
    try:
        calls.once(partial(collaborators.mono.accounts, page=1, deadline=deadline))
    except (MonoError, ProviderPaused) as down:
        collaborators.observer.event("mono.provider.still_down", None, problem=str(down))
    else:
        collaborators.observer.event("mono.provider.circuit_closed", None)
    finally:
        collaborators.budget.give_back()
