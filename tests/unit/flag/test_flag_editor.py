"""Editing the flag in SSM: who, when and why; no edit lost unseen; what was before comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import EVERYONE, NOBODY, FlagChange, FlagRule
from mono_pipeline.usecases.flag_editor import FlagConflict, FlagEditor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ssm import SSMClient

NAME = "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED"
ME = "64779d900000000000ab0001"
NOON = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)


def client() -> SSMClient:
    """Return a client that belongs to nobody's account."""
    return boto3.client("ssm", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture
def ssm() -> Iterator[SSMClient]:
    """Moto's SSM with the flag as template.yaml creates it: a String, `false`."""
    with mock_aws():
        made = client()
        made.put_parameter(Name=NAME, Value="false", Type="String", Description="feature flag")
        yield made


@pytest.fixture
def editor(ssm: SSMClient) -> FlagEditor:
    """An editor at noon."""
    return FlagEditor(ParameterStore(lambda: ssm), NAME, now=lambda: NOON)


def test_the_flag_of_a_fresh_deployment_is_shown(editor: FlagEditor) -> None:
    """Version 1, off, with the template's own description."""
    flag = editor.read_flag()

    assert (flag.version, flag.value, flag.rule, flag.why) == (1, "false", NOBODY, "feature flag")


def test_an_edit_carries_who_when_and_why_in_its_version(editor: FlagEditor, ssm: SSMClient) -> None:
    """SSM keeps the description per version: it is the audit trail."""
    edit = editor.amend(FlagChange(allow=frozenset({ME})), who="ada@example.com", why="canary: first account")

    assert (edit.before.version, edit.after.version) == (1, 2)
    assert edit.after.rule == FlagRule(enabled=True, allow=frozenset({ME}))
    assert edit.notes
    stored = ssm.get_parameter_history(Name=NAME)["Parameters"][-1]
    assert stored["Description"] == "2026-11-04T12:00:00Z ada@example.com: canary: first account"
    assert stored["Type"] == "String"
    last = editor.flag_history()[-1]
    assert (last.version, last.who, last.why) == (2, "ada@example.com", "canary: first account")


def test_a_whole_value_is_set_in_its_canonical_form(editor: FlagEditor, ssm: SSMClient) -> None:
    """`TRUE` is written as `true`."""
    assert editor.set_value(" TRUE ", who="a", why="launch").after.rule == EVERYONE
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Value"] == "true"


@pytest.mark.parametrize("text", ["flase", '{"enabled": true, "percentage": 101}'])
def test_a_malformed_value_is_refused_and_nothing_is_written(editor: FlagEditor, text: str) -> None:
    """Nobody switches the fleet off by a typo through monoctl."""
    with pytest.raises(MalformedFlag):
        editor.set_value(text, who="a", why="b")

    assert editor.read_flag().version == 1


def test_a_rule_beyond_4_kb_is_refused_and_nothing_is_written(editor: FlagEditor) -> None:
    """SSM would refuse it; its stand-ins would not."""
    ids = frozenset(f"{number:024x}" for number in range(150))

    with pytest.raises(InvalidInput, match="4,096"):
        editor.amend(FlagChange(allow=ids), who="a", why="b")
    assert editor.read_flag().version == 1


@pytest.mark.parametrize(("who", "why"), [("", "b"), ("a b", "b"), ("a", ""), ("a", "  "), ("a", "x" * 701)])
def test_an_edit_without_a_name_or_a_reason_is_refused(editor: FlagEditor, who: str, why: str) -> None:
    """And one whose reason SSM would cut."""
    with pytest.raises(InvalidInput):
        editor.set_value("true", who=who, why=why)

    assert editor.read_flag().version == 1


def test_an_edit_over_a_newer_version_is_not_written(editor: FlagEditor) -> None:
    """The version that was shown is the version that is edited."""
    shown = editor.read_flag()
    editor.set_value("true", who="bola", why="launch")

    with pytest.raises(FlagConflict) as conflict:
        editor.write_flag(shown.version, FlagRule(enabled=True, percentage=500), who="ada", why="ramp")

    assert not conflict.value.written
    assert (conflict.value.theirs.who, conflict.value.theirs.value) == ("bola", "true")
    assert "not written" in str(conflict.value)
    assert editor.read_flag().value == "true"


def test_an_edit_between_our_reading_and_our_writing_is_reported_with_both_values(ssm: SSMClient) -> None:
    """SSM has no compare-and-set: the version that the write became gives the other edit away."""

    class Raced(ParameterStore):
        """Somebody turns the flag off just before our write arrives."""

        def put(self, name: str, value: str, **rest: object) -> int:
            ssm.put_parameter(Name=NAME, Value="false", Overwrite=True, Description="2026-11-04T11:59:59Z bola: stop")
            return super().put(name, value, **rest)  # type: ignore[arg-type]  # handed on as it came

    editor = FlagEditor(Raced(lambda: ssm), NAME, now=lambda: NOON)

    with pytest.raises(FlagConflict) as conflict:
        editor.set_value("true", who="ada", why="launch")

    assert conflict.value.written
    assert (conflict.value.theirs.version, conflict.value.theirs.who, conflict.value.theirs.value) == (
        2,
        "bola",
        "false",
    )
    assert (conflict.value.ours.version, conflict.value.ours.value) == (3, "true")
    for part in ("bola", "'false'", "'true'", "monoctl flag restore 2"):
        assert part in str(conflict.value)


def test_restore_brings_lists_and_salt_back_after_an_automatic_false(editor: FlagEditor, ssm: SSMClient) -> None:
    """The rollback writes a plain `false`; the version before it holds the rollout."""
    rule = FlagRule(enabled=True, percentage=2500, allow=frozenset({ME}), salt="2026-11")
    editor.write_flag(1, rule, who="ada", why="ramp")
    ssm.put_parameter(Name=NAME, Value="false", Overwrite=True, Description="alarm MonoPipelineHighFailureRate")

    edit = editor.restore(2, who="ada", why="bank is back")

    assert edit.before.why == "alarm MonoPipelineHighFailureRate"
    assert edit.before.who
    assert (edit.after.version, edit.after.rule) == (4, rule)
    assert editor.flag_history()[-1].why == "restore 2: bank is back"


def test_a_version_that_is_not_kept_or_is_malformed_is_not_restored(editor: FlagEditor, ssm: SSMClient) -> None:
    """Restoring garbage would be off by accident."""
    ssm.put_parameter(Name=NAME, Value="flase", Overwrite=True)

    with pytest.raises(InvalidInput, match="1 to 2"):
        editor.restore(9, who="a", why="b")
    with pytest.raises(InvalidInput, match="malformed"):
        editor.restore(2, who="a", why="b")


def test_a_malformed_flag_is_shown_not_amended_and_set_whole(editor: FlagEditor, ssm: SSMClient) -> None:
    """There is no rule to change a part of; a whole value or an old version is the way out."""
    ssm.put_parameter(Name=NAME, Value="flase", Overwrite=True)

    assert (editor.read_flag().rule, editor.read_flag().value) == (None, "flase")
    with pytest.raises(MalformedFlag, match="restore"):
        editor.amend(FlagChange(allow=frozenset({ME})), who="a", why="b")
    assert editor.set_value("false", who="a", why="b").after.version == 3


def test_a_flag_that_is_gone_is_off_and_made_again_by_an_edit(editor: FlagEditor, ssm: SSMClient) -> None:
    """Somebody deleted the parameter: it is shown as version 0, and an edit creates it."""
    ssm.delete_parameter(Name=NAME)

    assert (editor.read_flag().version, editor.read_flag().rule) == (0, NOBODY)
    assert editor.flag_history() == ()
    assert editor.set_value("true", who="a", why="b").after.version == 1
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Type"] == "String"


def test_a_flag_made_by_somebody_else_meanwhile_is_not_written_over(editor: FlagEditor, ssm: SSMClient) -> None:
    """Where there was no parameter, ours is created or theirs stays."""
    ssm.delete_parameter(Name=NAME)

    class Raced(ParameterStore):
        """Somebody creates the flag just before our write arrives."""

        def put(self, name: str, value: str, **rest: object) -> int:
            ssm.put_parameter(Name=NAME, Value="false", Type="String")
            return super().put(name, value, **rest)  # type: ignore[arg-type]  # handed on as it came

    with pytest.raises(FlagConflict) as conflict:
        FlagEditor(Raced(lambda: ssm), NAME, now=lambda: NOON).set_value("true", who="ada", why="launch")

    assert not conflict.value.written
    assert editor.read_flag().value == "false"
