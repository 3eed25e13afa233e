"""Every status that Mono may answer comes to a treatment: none is a success but 200 and 201, none is forgotten."""

from __future__ import annotations

import httpx
import pytest

from mono_pipeline.adapters.mono_answer import refuse_status
from mono_pipeline.core.classify import TreatmentKind, classify
from mono_pipeline.core.errors import MonoError

RETRY, DEFER = TreatmentKind.RETRY, TreatmentKind.DEFER
BLOCKED, SUSPECT = TreatmentKind.ACCOUNT_BLOCKED, TreatmentKind.PROVIDER_SUSPECT
OF_ITS_OWN = {
    401: (SUSPECT, "mono_key_refused"),
    402: (SUSPECT, "mono_payment_required"),
    403: (SUSPECT, "mono_forbidden"),
    404: (BLOCKED, "mono_not_found"),
    408: (RETRY, "mono_rejected"),
    409: (RETRY, "mono_rejected"),
    410: (BLOCKED, "mono_not_found"),
    425: (RETRY, "mono_rejected"),
    429: (DEFER, "mono_rate_limited"),
}


def expected(status: int) -> tuple[TreatmentKind, str]:
    """What a status comes to."""
    if status in OF_ITS_OWN:
        return OF_ITS_OWN[status]
    if status < 300:
        return RETRY, "mono_unintelligible"
    return (DEFER, "mono_rejected") if status < 500 else (RETRY, "mono_server_error")


@pytest.mark.parametrize("status", [status for status in range(200, 600) if status not in {200, 201}])
def test_every_status_has_its_treatment(status: int) -> None:
    """By its own row, or that of its class."""
    with pytest.raises(MonoError) as refused:
        refuse_status(httpx.Response(status))
    treatment = classify(refused.value)

    assert (treatment.kind, treatment.reason.value) == expected(status)
    assert treatment.defer_seconds > 0
