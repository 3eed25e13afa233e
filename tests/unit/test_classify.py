"""The table of errors: every class has a row, every row says what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core import errors
from mono_pipeline.core.classify import TABLE, ErrorReason, Treatment, TreatmentKind, classify
from mono_pipeline.core.wire import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY, DEFER = TreatmentKind.RETRY, TreatmentKind.DEFER
BLOCKED, SUSPECT = TreatmentKind.ACCOUNT_BLOCKED, TreatmentKind.PROVIDER_SUSPECT
POISON, STAND_DOWN = TreatmentKind.POISON, TreatmentKind.STAND_DOWN

# The specification: an error as it is raised, what to do, what to call it, how long to stay away.
EXPECTED: list[tuple[errors.PipelineError, TreatmentKind, str, float]] = [
    (errors.PipelineError("?"), DEFER, "unexpected", 300),
    (errors.InvalidInput("account_id", "is none"), POISON, "invalid_input", 0),
    (errors.MalformedFlag("flase"), DEFER, "malformed_flag", 300),
    (errors.AccountUnknown(), POISON, "account_unknown", 0),
    (errors.RunUnknown(), POISON, "run_unknown", 0),
    (errors.AccountBlocked("unlinked"), BLOCKED, "account_blocked", 3600),
    (errors.AlreadyRunning("run"), STAND_DOWN, "already_running", 0),
    (errors.ProviderPaused(17.0, "rate_budget"), DEFER, "provider_paused", 17),
    (errors.ProviderPaused(86_400.0, "refused"), DEFER, "provider_paused", 900),
    (errors.LeaseLost(), STAND_DOWN, "lease_lost", 0),
    (errors.ConfigurationError("MONO_SECRET_KEY", "is missing"), DEFER, "configuration", 300),
    (errors.DependencyUnavailable(), RETRY, "unexpected", 0),
    (errors.DatabaseUnavailable(), RETRY, "database_unavailable", 0),
    (errors.QueueUnavailable(), RETRY, "queue_unavailable", 0),
    (errors.ParametersUnavailable(), RETRY, "parameters_unavailable", 0),
    (errors.MonoError(), DEFER, "unexpected", 300),
    (errors.MonoUnreachable(), RETRY, "mono_unreachable", 300),
    (errors.MonoUntrusted(), SUSPECT, "mono_untrusted", 60),
    *[(errors.MonoServerError(status), RETRY, "mono_server_error", 300.0) for status in (500, 502, 503, 504, 520)],
    (errors.MonoRateLimited(None), DEFER, "mono_rate_limited", 60),
    (errors.MonoRateLimited(0.0), DEFER, "mono_rate_limited", 0),
    (errors.MonoRateLimited(42.0), DEFER, "mono_rate_limited", 42),
    (errors.MonoRateLimited(1e9), DEFER, "mono_rate_limited", 900),
    (errors.MonoRefused(401), SUSPECT, "mono_key_refused", 3600),
    (errors.MonoRefused(402), SUSPECT, "mono_payment_required", 3600),
    (errors.MonoRefused(403), SUSPECT, "mono_forbidden", 3600),
    (errors.MonoNotFound(404), BLOCKED, "mono_not_found", 3600),
    (errors.MonoNotFound(410), BLOCKED, "mono_not_found", 3600),
    *[(errors.MonoRejected(status), DEFER, "mono_rejected", 3600.0) for status in (301, 302, 304, 307, 400, 405, 422)],
    *[(errors.MonoRejected(status), RETRY, "mono_rejected", 300.0) for status in (408, 409, 425)],
    *[
        (errors.MonoUnintelligible(reason), RETRY, "mono_unintelligible", 300.0)
        for reason in (
            "not_json",
            "undecodable",
            "unexpected_status",
            "not_an_envelope",
            "not_successful",
            "bad_meta",
            "bad_job",
            "bad_link",
        )
    ],
    *[
        (errors.MonoUnintelligible(reason), DEFER, "mono_unintelligible", 3600.0)
        for reason in ("too_large", "too_many_rows", "duplicate_key", "bad_account")
    ],
    (errors.MonoUnintelligible("wrong_account"), DEFER, "mono_wrong_account", 3600),
]


def _tree(root: type[errors.PipelineError] = errors.PipelineError) -> Iterator[type[errors.PipelineError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:  # a test may have made more
            yield from _tree(child)


@pytest.mark.parametrize(("error", "kind", "reason", "seconds"), EXPECTED, ids=lambda value: str(value)[:40])
def test_every_error_has_its_treatment(
    error: errors.PipelineError, kind: TreatmentKind, reason: str, seconds: float
) -> None:
    """The whole table, row by row."""
    assert classify(error) == Treatment(kind=kind, reason=ErrorReason(reason), defer_seconds=seconds)


def test_every_class_of_the_error_tree_has_a_row_of_its_own() -> None:
    """A new error cannot be forgotten, here or in the specification above."""
    assert {row.error for row in TABLE if row.detail is None} == set(_tree())
    assert {type(error) for error, *_ in EXPECTED} == set(_tree())


def test_every_row_of_the_table_is_specified() -> None:
    """No row is there that nothing above asks for."""
    specified = {(type(error), kind, reason) for error, kind, reason, _ in EXPECTED}
    assert {(row.error, row.kind, row.reason.value) for row in TABLE} == specified


def test_every_refusal_of_an_answer_is_specified() -> None:
    """A new refusal cannot be forgotten."""
    refused = {error.reason for error, *_ in EXPECTED if isinstance(error, errors.MonoUnintelligible)}
    assert refused == REFUSALS


def test_no_row_is_hidden_by_another() -> None:
    """Each error and detail stands once."""
    keys = [(row.error, row.detail) for row in TABLE]
    assert len(keys) == len(set(keys))


def test_every_reason_is_used() -> None:
    """A reason that nothing gives would be a metric that is always zero."""
    assert {row.reason for row in TABLE} == set(ErrorReason)


def test_an_error_without_a_row_is_treated_as_its_nearest_ancestor() -> None:
    """A subclass made elsewhere is not a reason to crash."""

    class MonoSleepy(errors.MonoServerError):
        """Not in the tree."""

    assert classify(MonoSleepy(503)) == classify(errors.MonoServerError(503))


def test_only_what_mono_says_of_its_wallet_key_or_permission_and_its_certificate_makes_the_provider_suspect() -> None:
    """A probe is a call: nothing else is worth one."""
    suspects = {row.error for row in TABLE if row.kind is SUSPECT}
    assert suspects == {errors.MonoRefused, errors.MonoUntrusted}
