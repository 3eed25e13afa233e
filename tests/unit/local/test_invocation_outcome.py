"""Results, errors and time-outs, told apart where the emulator does not; what a batch report means."""

from __future__ import annotations

import json

import pytest

from local.lambda_runtime import Outcome, outcome_of
from local.poller import failed_ids


def test_a_result_is_a_result_even_if_it_speaks_of_errors() -> None:
    """An API answer with an `errorType` of its own is not the runtime's error object."""
    for result in ({"statusCode": 500, "errorType": "x", "errorMessage": "y"}, ["errorType"], {"errorType": "alone"}):
        assert not outcome_of(json.dumps(result).encode(), status=200).failed


def test_an_exception_is_a_failure() -> None:
    """The runtime client's error object, which the emulator answers with 200."""
    body = b'{"errorMessage": "boom", "errorType": "ValueError", "requestId": "1", "stackTrace": []}'
    assert outcome_of(body, status=200) == Outcome(payload=body, failed=True)


def test_a_time_out_is_a_failure_in_lambdas_words() -> None:
    """The emulator answers it with 200 and plain text."""
    outcome = outcome_of(b"Task timed out after 3.00 seconds", status=200)
    assert outcome.failed
    assert outcome.json() == {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}


def test_a_dead_runtime_is_a_failure() -> None:
    """The emulator answers it with 502."""
    assert outcome_of(b'{"errorType":"Runtime.ExitError","errorMessage":"x"}', status=502).failed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "stranger"}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"wrongKey": "a"}]}', {"a", "b"}),
        (b'{"batchItemFailures": ["a"]}', {"a", "b"}),
        (b'"text"', {"a", "b"}),
    ],
)
def test_a_batch_report_that_is_not_of_its_form_fails_the_whole_batch(answer: bytes, expected: set[str]) -> None:
    """As AWS documents for ReportBatchItemFailures: in doubt, deliver again."""
    assert failed_ids(Outcome(payload=answer), ["a", "b"], partial=True) == expected


def test_a_failed_invocation_fails_the_whole_batch() -> None:
    """Whatever its payload says."""
    failed = Outcome(payload=b'{"batchItemFailures": []}', failed=True)
    assert failed_ids(failed, ["a", "b"], partial=True) == {"a", "b"}


def test_without_partial_responses_the_answer_is_not_read() -> None:
    """A mapping that does not report item failures takes any result as success."""
    answer = Outcome(payload=b'{"batchItemFailures": [{"itemIdentifier": "a"}]}')
    assert failed_ids(answer, ["a"], partial=False) == set()
