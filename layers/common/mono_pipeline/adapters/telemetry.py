"""Metrics and logs of a run: EMF for CloudWatch, and one JSON line an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from mono_pipeline.core.flag import FlagReading
    from mono_pipeline.core.observer import Outcome, Stage
    from mono_pipeline.core.run import LeasedRun

NAMESPACE = "TaxPoynt"
SERVICE = "mono-pipeline"
_PREFIX = "taxpoynt_mono_pipeline"

logger = Logger(service=SERVICE)


class Telemetry:
    """The observer of a deployed function. Dimension sets are those of the public metrics, never an id by accident."""

    def stage(self, run: LeasedRun, stage: Stage, seconds: float, outcome: Outcome) -> None:
        """`…_stage_seconds` by stage and outcome."""
        self._emit(run, "stage_seconds", MetricUnit.Seconds, seconds, stage=stage, outcome=outcome)

    def error(self, run: LeasedRun, stage: Stage, reason: str) -> None:
        """`…_errors_total` by stage and reason."""
        self._emit(run, "errors_total", MetricUnit.Count, 1, stage=stage, reason=reason)

    def zero_transactions(self, run: LeasedRun) -> None:
        """`…_zero_transactions_total`."""
        self._emit(run, "zero_transactions_total", MetricUnit.Count, 1)

    def stale_accounts(self, count: int, *, account_id: str | None = None) -> None:
        """`…_stale_accounts`, a gauge; and 1 for an account by itself, when its breach is told of."""
        with single_metric(
            name=f"{_PREFIX}_stale_accounts",
            unit=MetricUnit.Count,
            value=count,
            namespace=NAMESPACE,
            default_dimensions={"service": SERVICE},
        ) as metric:
            if account_id is not None:
                metric.add_dimension(name="account_id", value=account_id)

    def event(self, name: str, run: LeasedRun | None, **fields: Any) -> None:
        """One log line; what identifies the run is the same on every line."""
        if run is not None:
            fields = {
                "account_id": run.account.mono_account_id,
                "run_id": str(run.run_id),
                "correlation_id": run.correlation_id,
                "kind": run.kind,
                **fields,
            }
        logger.info(name, extra=fields)

    def flag_out_of_order(self, reading: FlagReading) -> None:
        """The flag is malformed, missing or unreadable, so that everybody is off or soon will be."""
        logger.error("mono.flag.out_of_order", extra={"flag_problem": reading.problem, "detail": reading.detail})
        with single_metric(
            name=f"{_PREFIX}_errors_total",
            unit=MetricUnit.Count,
            value=1,
            namespace=NAMESPACE,
            default_dimensions={"service": SERVICE},
        ) as metric:
            metric.add_dimension(name="stage", value="flag")
            metric.add_dimension(name="reason", value=f"flag_{reading.problem}")

    @staticmethod
    def _emit(run: LeasedRun, name: str, unit: MetricUnit, value: float, **dimensions: str) -> None:
        with single_metric(
            name=f"{_PREFIX}_{name}",
            unit=unit,
            value=value,
            namespace=NAMESPACE,
            default_dimensions={"service": SERVICE},
        ) as metric:
            for dimension, text in dimensions.items():
                metric.add_dimension(name=dimension, value=text)
            metric.add_metadata(key="correlation_id", value=run.correlation_id)
            metric.add_metadata(key="run_id", value=str(run.run_id))
