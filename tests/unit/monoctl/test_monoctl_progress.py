"""Nobody waits in silence: whoever asks the ops function, which may be starting or working, says meanwhile what for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from monoctl.console.output import Output
from monoctl.errors import OpsRefused
from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, ScriptedOps, monoctl

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKING = (
    ("accounts", "import"),
    ("accounts", "list"),
    ("accounts", "show", ACCOUNT),
    ("accounts", "realtime", ACCOUNT, "never"),
    ("accounts", "slo", ACCOUNT, "default"),
    ("accounts", "reauth-link", ACCOUNT),
    ("accounts", "erase", ACCOUNT, "--confirm", ACCOUNT, "--reason", "request 7"),
    ("duplicates", "list"),
    ("sync", ACCOUNT, "--shadow"),
)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_while_the_ops_function_is_asked_it_is_said_what_for(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress is open at each question, and over when the command has ended, badly here."""
    said: list[str] = []
    asked: list[str] = []
    shown = Output.progress

    @contextmanager
    def noted(self: Output, doing: str) -> Iterator[Any]:
        said.append(doing)
        with shown(self, doing) as say:
            try:
                yield say
            finally:
                said.pop()

    def refuse(action: str, _arguments: object) -> dict[str, Any]:
        asked.append(action)
        assert said, f"{action} is asked in silence"
        raise OpsRefused("MonoServerError", "Mono answered 500")

    monkeypatch.setattr(Output, "progress", noted)

    ended = monoctl(*words, reach=FakeReach(ops=ScriptedOps(refuse)))

    assert asked
    assert ended.exit_code == 7
    assert said == []
    assert " ..." in ended.stderr
