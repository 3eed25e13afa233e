"""`make demo` when a promise is not kept: it says so by its exit code and in its record, and goes no further."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from local.demo import __main__ as demo
from local.demo import main_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

    from local.demo.story import Story
    from local.stack import EmbeddedStack

type Tell = Callable[[Story], None]


@pytest.fixture
def play(stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Tells other chapters on a stack that runs, with its record in a folder of the test; the exit code."""
    monkeypatch.setattr(demo, "EmbeddedStack", lambda *_, **__: nullcontext(stack))

    def told(*chapters: Tell) -> int:
        monkeypatch.setattr(demo, "CHAPTERS", tuple(enumerate(chapters)))
        return demo.main(tmp_path)

    return told


def record(folder: Path) -> dict[str, Any]:
    """What machines read."""
    return dict(json.loads((folder / "demo.json").read_text()))


def steps(folder: Path) -> list[tuple[str, bool]]:
    """Each row's name, and whether it was as promised."""
    return [(row["id"], row["ok"]) for row in record(folder)["rows"]]


def good(story: Story) -> None:
    """A chapter whose promises are kept."""
    story.step("good", "Nothing is asked", lambda: "nothing was promised")


def test_a_story_that_goes_well_ends_with_zero(play: Callable[..., int], tmp_path: Path) -> None:
    """Its steps and its length are on record."""
    assert play(good, good) == 0
    assert record(tmp_path)["ok"] is True
    assert steps(tmp_path) == [("good", True), ("good", True), ("seconds", True)]


def test_a_flag_that_lets_through_what_it_should_not_ends_the_demo(
    play: Callable[..., int],
    functions: LambdaClient,
    new_account: Callable[..., str],
    flag: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """The demo's own second step, on a stack whose flag is on: it notices."""
    account = new_account(transactions=1)
    payload = json.dumps({"action": "accounts.import", "account_ids": [account]})
    functions.invoke(FunctionName="mono-pipeline-local-ops", Payload=payload)
    flag("true")

    def deferred(story: Story) -> None:
        story.accounts = [account]
        story.until(lambda: story.sync(account)["status"] == "completed", "the flag is not on", seconds=40)
        story.step("off", "The flag is off", lambda: main_job._deferred(story))

    assert play(deferred, good) == 1
    assert record(tmp_path)["ok"] is False
    assert steps(tmp_path) == [("off", False), ("seconds", True)]
    assert record(tmp_path)["rows"][0]["value"] == "answered completed"


def test_rows_that_are_not_the_banks_end_the_demo(
    play: Callable[..., int], new_account: Callable[..., str], tmp_path: Path
) -> None:
    """An account of which nothing is stored is not taken for equal."""
    account = new_account(transactions=1)

    def equal(story: Story) -> None:
        story.accounts = [account]
        story.step("equal", "The tables hold what the bank has", lambda: main_job._equal(story))

    assert play(equal) == 1
    assert steps(tmp_path) == [("equal", False), ("seconds", True)]


def test_an_error_that_nobody_foresaw_is_on_record(play: Callable[..., int], tmp_path: Path) -> None:
    """What machines read must not be an earlier story that went well."""
    play(good)

    def breaks(story: Story) -> None:
        story.step("odd", "Something falls over", lambda: str(story.accounts[7]))

    with pytest.raises(IndexError):
        play(good, breaks)

    assert record(tmp_path)["ok"] is False
    assert steps(tmp_path) == [("good", True), ("broken-off", False), ("seconds", True)]
    assert record(tmp_path)["rows"][1]["what"] == "step 2"


def test_a_stack_that_does_not_start_leaves_no_record(
    play: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all the one of the time before."""
    play(good)

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("port 3000 is held by another")

    monkeypatch.setattr(demo, "EmbeddedStack", refused)
    with pytest.raises(RuntimeError, match="port 3000"):
        demo.main(tmp_path)

    assert not (tmp_path / "demo.json").exists()


def test_a_story_that_takes_too_long_is_not_as_promised(
    play: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A minute is promised, and that it was the time is said."""
    assert demo.STORY_SECONDS == 60
    monkeypatch.setattr(demo, "STORY_SECONDS", 0.0)
    monkeypatch.delenv("CI", raising=False)

    assert play(good) == 1
    assert steps(tmp_path) == [("good", True), ("seconds", False)]
    assert "as promised but the time" in capsys.readouterr().out


def test_continuous_integration_tells_the_time_and_does_not_judge_by_it(
    play: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The missed goal stays on record, with the reason why it fails nobody; a broken promise fails there too."""
    monkeypatch.setattr(demo, "STORY_SECONDS", 0.0)
    monkeypatch.setenv("CI", "true")

    assert play(good) == 0
    assert record(tmp_path)["rows"][-1]["waived"]
    assert steps(tmp_path) == [("good", True), ("seconds", False)]
