"""Queues with their redrive, dead letters, the schedule, and where to go back to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from monoctl.preflight.line import Found, cannot_tell, failed, passed
from monoctl.reach.deployment import QUEUES, SCHEDULES

if TYPE_CHECKING:
    from monoctl.preflight.grounds import Grounds
    from monoctl.reach.deployment import Deployment

_DEAD: Final = "dead-letters"
_DEPLOY: Final = "deploy template.yaml again: somebody changed it by hand"
_RECEIVES: Final = 5
_STATES: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def queues(grounds: Grounds) -> Found:
    """All three are there, and the two for work give up into the third after five receives."""
    found = {name: grounds.deployment.queue(name) for name in QUEUES}
    absent = [name for name, attributes in found.items() if attributes is None]
    if absent:
        return failed(f"not there: {', '.join(absent)}", "deploy template.yaml")
    target = (found[_DEAD] or {}).get("QueueArn", "")
    for name, attributes in found.items():
        if name == _DEAD or attributes is None:
            continue
        redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
        if redrive.get("deadLetterTargetArn") != target:
            return failed(f"{name} has no redrive into {_DEAD}", _DEPLOY)
        if int(redrive.get("maxReceiveCount", 0)) != _RECEIVES:
            return failed(f"{name} gives up after {redrive.get('maxReceiveCount')} receives", _DEPLOY)
    return passed(f"{', '.join(QUEUES)}; redrive after {_RECEIVES} receives")


def dead_letters(grounds: Grounds) -> Found:
    """There are none: what failed before must not be taken for the release's."""
    waiting = waiting_letters(grounds.deployment)
    if waiting is None:
        return cannot_tell("there is no such queue", "deploy template.yaml")
    if waiting:
        return failed(f"{waiting:,} wait", f"monoctl --env {grounds.environment} dead-letters inspect")
    return passed("none")


def waiting_letters(deployment: Deployment) -> int | None:
    """Return how many dead letters there are, those in flight included; None where there is no such queue."""
    attributes = deployment.queue(_DEAD)
    return None if attributes is None else sum(int(attributes.get(state, 0)) for state in _STATES)


def schedules(grounds: Grounds) -> Found:
    """Each is there and enabled."""
    found = grounds.deployment.schedules()
    absent = [name for name in SCHEDULES if not any(each.name.endswith(f"-{name}") for each in found)]
    if absent:
        return failed(f"not there: {', '.join(absent)}", "deploy template.yaml")
    off = [each.name for each in found if not each.enabled]
    if off:
        return failed(f"disabled: {', '.join(off)}", "aws scheduler update-schedule with State=ENABLED, or deploy")
    return passed(", ".join(f"{each.name}, {each.every}" for each in found))


def rollback_target(grounds: Grounds) -> Found:
    """Every function has an earlier version to go back to; the flag can go off in any case."""
    versions = grounds.deployment.versions()
    if versions is None:
        return passed("the flag; code has no versions here")
    first = [each.function for each in versions if each.previous is None]
    if first and not grounds.first_release:
        says = f"no version before the live one of {', '.join(first)}"
        return cannot_tell(says, "a first release goes back by the flag alone: say --first-release")
    if not (known := [each for each in versions if each.previous]):
        return passed("the flag alone: this is the first release")
    steps: dict[str, list[str]] = {}
    for each in known:
        steps.setdefault(f"{each.live} -> {each.previous}", []).append(each.function)
    return passed("; ".join(f"{step}: {', '.join(functions)}" for step, functions in steps.items()))
