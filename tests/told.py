"""What was written to standard output, as lines, and a run to tell of."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aws_lambda_powertools import Logger
from jsonschema import Draft202012Validator

from local.cloudwatch.emf import Observation, observations
from mono_pipeline.adapters import emf, telemetry
from mono_pipeline.core.run import Account, LeasedRun, LinkStatus, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ACCOUNT = "64779d900000000000ab0001"
SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parent / "unit" / "telemetry" / "emf_schema.json").read_text())
)


@dataclass
class Told:
    """Everything that was written. Each line must be one JSON object, and each metric a valid one."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line."""
        found = [json.loads(line) for line in self.stream.getvalue().split("\n")[:-1]]
        assert all(isinstance(line, dict) for line in found)
        for line in found:
            if "_aws" in line:
                SCHEMA.validate(line)
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [line for line in self.lines if "_aws" not in line]

    @property
    def points(self) -> list[Observation]:
        """What CloudWatch would store."""
        return [one for line in self.lines for one in observations(json.dumps(line))]

    def values(self, name: str, **dimensions: str) -> list[float]:
        """The values of one series; `service` needs not be said."""
        wanted = tuple(sorted({"service": "mono-pipeline", **dimensions}.items()))
        full = f"taxpoynt_mono_pipeline_{name}"
        return [each.value for each in self.points if (each.series.name, each.series.dimensions) == (full, wanted)]

    def series(self) -> set[Any]:
        """Every custom metric that would be paid for."""
        return {each.series for each in self.points}


def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Takes in what telemetry writes. A logger of another service: Powertools keeps the first stream of each."""
    told = Told()
    monkeypatch.setattr(telemetry, "logger", Logger(service=f"told-{uuid4()}", location=None, stream=told.stream))
    monkeypatch.setattr(emf, "sys", SimpleNamespace(stdout=told.stream))  # pytest puts back its own between phases
    yield told


def run_of(account_id: str = ACCOUNT, *, correlation_id: str = "c-1", kind: RunKind = RunKind.INCREMENTAL) -> LeasedRun:
    """A leased run of an account."""
    account = Account(
        id=1,
        mono_account_id=account_id,
        first_mono_account_id=account_id,
        currency="NGN",
        link_status=LinkStatus.LINKED,
        watermark=None,
        last_full_read_at=None,
        fresh_as_of=None,
        totals_ignore_window=False,
    )
    return LeasedRun(
        run_id=UUID(int=7),
        account=account,
        fence=1,
        kind=kind,
        days=None,
        pass_number=1,
        pages_done=0,
        today=date(2026, 11, 24),
        correlation_id=correlation_id,
        requested_by="api",
    )
