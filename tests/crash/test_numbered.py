"""The gate that kills: a call is killed at itself, whatever other calls are made inside it."""

from __future__ import annotations

import os
import signal

import pytest

from tests.crash.calls import Call
from tests.crash.child import Numbered, Orders


class Killed(BaseException):
    """In place of the signal, which no test would outlive."""


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(_process: int, number: int) -> None:
        assert number == signal.SIGKILL
        raise Killed

    monkeypatch.setattr(os, "kill", kill)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_call_can_be_killed_before_and_after_it_also_one_that_holds_others(number: int, when: str) -> None:
    """Page 2 is asked for, and while it is awaited another worker makes two calls of its own."""
    seen = _lived(number, when)

    within = {1: ["page 1"], 2: ["page 2", "find", "flag"], 3: ["find"], 4: ["flag"]}[number]
    assert seen[-1] == (when, within[0])
    if when == "after":
        asked = [name for step, name in seen if step == "before"]
        assert asked[asked.index(within[0]) :] == within


def _lived(number: int, when: str) -> list[tuple[str, str]]:
    """What the gate was told until it killed."""
    gate = Numbered(_orders(number, when))
    page_1, page_2, find, flag = (Call(kind="x", name=name) for name in ("page 1", "page 2", "find", "flag"))
    seen: list[tuple[str, str]] = []
    steps = [
        ("before", page_1), ("after", page_1),
        ("before", page_2), ("before", find), ("after", find), ("before", flag), ("after", flag), ("after", page_2),
    ]  # fmt: skip
    for step, call in steps:
        seen.append((step, call.name))
        try:
            getattr(gate, step)(call)
        except Killed:
            return seen
    pytest.fail("was not killed")


def _orders(number: int, when: str) -> Orders:
    return Orders(
        port=0, database="", bank="", folder="", account="", acts=[], flags=[], seconds=0.0, call=number, when=when
    )
