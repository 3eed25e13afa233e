"""The exit codes: each way to end has the one that the interface promises."""

from __future__ import annotations

from typing import Any

import pytest

from mono_pipeline.core import errors
from mono_pipeline.usecases.flag_editor import FlagConflict, FlagVersion
from monoctl.errors import Defect, NotAllowed, OpsRefused, StackDown, Unanswered
from monoctl.exit_code import ExitCode, of_answer, of_error
from tests.unit.monoctl.stand_ins import answer, run_document


def test_the_codes_are_those_of_the_public_interface() -> None:
    """Scripts compare numbers."""
    assert [code.name for code in sorted(ExitCode)] == [
        "AS_PROMISED",
        "DEFECT",
        "USAGE",
        "DEFERRED",
        "INCOMPLETE",
        "MISMATCH",
        "BLOCKED",
        "DOWN",
        "CANNOT_TELL",
    ]
    assert sorted(ExitCode) == list(range(9))


@pytest.mark.parametrize(
    ("status", "run", "code"),
    [
        ("completed", {"kind": "verified"}, 0),
        ("completed", {"kind": "unverifiable"}, 4),
        ("completed", {"kind": "mismatch"}, 5),
        ("completed", {"kind": None}, 8),
        ("completed", {"kind": "a verdict of tomorrow"}, 8),
        ("completed", None, 8),
        ("incomplete", {"kind": "unverifiable"}, 4),
        ("accepted", {"kind": None}, 0),
        ("deferred", None, 3),
        ("stopped", {"kind": None}, 3),
        ("account_blocked", None, 6),
        ("failed", {"kind": None, "error_code": "mono_unreachable"}, 7),
        ("failed", {"kind": None, "error_code": "mono_not_found"}, 6),
        ("failed", {"kind": None, "error_code": "mono_forbidden"}, 6),
        ("failed", None, 7),
        ("paused", None, 7),
        ("unavailable", None, 7),
        ("already_running", None, 8),
        ("unknown_account", None, 2),
        ("unknown_run", None, 2),
        ("invalid_input", None, 2),
        ("internal_error", None, 1),
        ("running", {"kind": None}, 8),
        ("a status of tomorrow", None, 8),
    ],
)
def test_a_sync_ends_with_the_code_of_its_status_and_verdict(
    status: str, run: dict[str, Any] | None, code: int
) -> None:
    """A word that this monoctl does not know is never a success."""
    fields = {} if run is None else {"run": run_document(status, **run)}

    assert of_answer(answer(status, **fields)) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("start", "is later than end"), 2),
        (errors.MalformedFlag("flase"), 2),
        (errors.AccountUnknown(), 2),
        (errors.RunUnknown(), 2),
        (NotAllowed("no"), 2),
        (errors.AccountBlocked("unlinked"), 6),
        (errors.ProviderPaused(60, "mono_rate_limited"), 7),
        (errors.ConfigurationError("MONO_SECRET_KEY", "is not set"), 7),
        (errors.DatabaseUnavailable(), 7),
        (errors.ParametersUnavailable(), 7),
        (StackDown(), 7),
        (errors.MonoServerError(500), 7),
        (errors.MonoRefused(401), 7),
        (errors.AlreadyRunning("run"), 8),
        (Unanswered("?"), 8),
        (Defect("crash"), 1),
        (errors.PipelineError("anything"), 1),
        (OpsRefused("AccountUnknown", "no bank account"), 2),
        (OpsRefused("DatabaseUnavailable", "down"), 7),
        (OpsRefused("MonoRefused", "Mono answered 401"), 7),
        (OpsRefused("AnErrorOfTomorrow", "?"), 1),
        (OpsRefused("annotations", "a name in that module that is no error"), 1),
    ],
)
def test_an_error_ends_with_the_code_of_what_the_caller_must_do(error: errors.PipelineError, code: int) -> None:
    """The ops function's errors count as if they had been raised here."""
    assert of_error(error) == code


def test_a_flag_conflict_cannot_be_told() -> None:
    """Whether what is in force is what was meant, a person must see."""
    version = FlagVersion(version=2, value="true", rule=None)

    assert of_error(FlagConflict(theirs=version, ours=version, written=True)) == ExitCode.CANNOT_TELL


def test_no_error_of_the_tree_is_a_defect_by_being_forgotten() -> None:
    """A new class of error gets a code on purpose."""
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.PipelineError)]

    defects = [each.__name__ for each in tree if of_error(each.__new__(each)) is ExitCode.DEFECT]

    assert defects == ["PipelineError"]
