"""The three dashboards: is the release good, how is this account, what does watching cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import dashboard

from monitoring.dashboards.panels import About, board, graph, lines, number, rows

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

_STAGE: Final = "taxpoynt_mono_pipeline_stage_seconds"
_ERRORS: Final = "taxpoynt_mono_pipeline_errors_total"
_ZERO: Final = "taxpoynt_mono_pipeline_zero_transactions_total"
_RUNS: Final = "taxpoynt_mono_pipeline_account_runs_total"
_ROWS: Final = "taxpoynt_mono_pipeline_account_rows_total"
_DOWN: Final = "taxpoynt_mono_pipeline_provider_down_total"
_WAITED: Final = "taxpoynt_mono_pipeline_rate_wait_seconds_total"
_ACCOUNT: Final = 'scope="account",account_id=~"$account_id"'


def release() -> Dashboard:
    """What the release is judged by: the three metrics, the flag, the canary against the rest, alerts."""
    canary = _error_ratio('account_id=~"$canary"')
    rest = _error_ratio('account_id!~"$canary"')
    return (
        board("mono-pipeline-release", "mono-pipeline: release", "Is the release good? All accounts.", since="now-3h")
        .with_variable(
            dashboard.TextBoxVariable("canary").label("canary accounts (ids with | between)").default_value("none")
        )
        .with_panel(number(About(title="Errors", says="In five minutes."), "sum(mono_pipeline:errors:sum5m)"))
        .with_panel(
            number(
                About(title="p95 of a fetch", says="Above 2 s alerts.", unit="s"),
                'mono_pipeline:stage_seconds:p95_10m{stage="sync"}',
            )
        )
        .with_panel(
            number(About(title="Empty runs in 1 h", says="Told, not paged."), "mono_pipeline:zero_transactions:sum1h")
        )
        .with_panel(
            number(
                About(title="Alerts firing", says="Of mono-pipeline, without the watchdog."),
                'count(ALERTS{service="mono-pipeline",alertstate="firing",severity!="none"}) or vector(0)',
            )
        )
        .with_panel(
            graph(
                About(title="Errors by reason", says="Sums over five minutes."),
                {"{{stage}} {{reason}}": "mono_pipeline:errors:sum5m > 0"},
            )
        )
        .with_panel(
            graph(
                About(title="p95 by stage", says="Over ten minutes; the SLA is 2 s for sync.", unit="s"),
                {"{{stage}}": "mono_pipeline:stage_seconds:p95_10m"},
            )
        )
        .with_panel(
            graph(
                About(
                    title="Failed runs: canary and the rest",
                    says="Share of runs that failed, from the database's own counters.",
                    unit="percentunit",
                ),
                {"canary": canary, "rest": rest},
            )
        )
        .with_panel(
            graph(
                About(title="Flag decisions", says="By reason; OFF for all is the kill switch, ERROR a broken flag."),
                {
                    "{{reason}}": "sum by (reason) (sum_over_time(taxpoynt_mono_pipeline_flag_decisions_total"
                    '{scope="fleet"}[5m] offset 5m))'
                },
            )
        )
        .with_panel(
            graph(
                About(title="Verdicts", says="What runs said of the data."),
                {
                    "{{verdict}} {{reason}}": "sum by (verdict, reason) (sum_over_time("
                    'taxpoynt_mono_pipeline_verdicts_total{scope="fleet"}[15m] offset 5m))'
                },
            )
        )
        .with_panel(
            graph(
                About(title="SLO: share of bad fetches", says="1 % over 30 days is allowed.", unit="percentunit"),
                {"5 min": "mono_pipeline:slo_bad:ratio5m", "1 h": "mono_pipeline:slo_bad:ratio1h"},
            )
        )
        .with_panel(
            graph(
                About(title="Mono serves nobody", says="Times that it was found so, in five minutes; alerts above 0."),
                {"down": f'sum(sum_over_time({_DOWN}{{scope="fleet"}}[5m] offset 5m))'},
            )
        )
        .with_panel(
            graph(
                About(title="Mono's events", says="By what came of them, in a quarter of an hour; docs/lifecycle.md."),
                {
                    "{{effect}}": "sum by (effect) (sum_over_time("
                    'taxpoynt_mono_pipeline_webhook_effects_total{scope="fleet"}[15m] offset 5m))'
                },
            )
        )
        .with_panel(
            rows(
                About(title="Alerts", says="What fires or is about to."),
                'ALERTS{service="mono-pipeline",severity!="none"}',
            )
        )
        .with_panel(
            graph(
                About(title="Messages that wait", says="By queue; dead letters alert."),
                {"{{queue}}": 'max by (queue) (taxpoynt_mono_pipeline_queue_messages{scope="fleet"})'},
            )
        )
        .with_panel(
            lines(
                About(title="Errors", says="Log lines of level ERROR."), '{app="mono-pipeline"} | json | level="ERROR"'
            )
        )
        .build()
    )


def account() -> Dashboard:
    """One account: how it stands, its latency and errors where it has metrics of its own, its logs."""
    chosen = 'account_id=~"$account_id"'
    return (
        board("mono-pipeline-account", "mono-pipeline: account", "How is this account?", since="now-24h")
        .with_variable(dashboard.TextBoxVariable("account_id").label("account").default_value(".+"))
        .with_variable(dashboard.TextBoxVariable("correlation_id").label("correlation id").default_value(".*"))
        .with_panel(
            number(
                About(title="Since the last success", says="26 h alert.", unit="s"),
                f"max(time() - taxpoynt_mono_pipeline_account_last_success_seconds{{{chosen}}})",
            )
        )
        .with_panel(
            number(
                About(title="Age of the bank's data", says="As far as anyone knows.", unit="s"),
                f"max(time() - taxpoynt_mono_pipeline_account_fresh_as_of_seconds{{{chosen}}})",
            )
        )
        .with_panel(
            rows(
                About(title="Verdict", says="Of the newest run."),
                f"taxpoynt_mono_pipeline_account_verdict{{{chosen}}}",
            )
        )
        .with_panel(
            graph(
                About(title="Runs", says="In an hour, by how they ended: a real counter, from the database."),
                {"{{status}}": f"sum by (status) (increase({_RUNS}{{{chosen}}}[1h]))"},
            )
        )
        .with_panel(
            graph(
                About(title="Rows", says="In an hour, by what became of them."),
                {"{{change}}": f"sum by (change) (increase({_ROWS}{{{chosen}}}[1h]))"},
            )
        )
        .with_panel(
            graph(
                About(
                    title="Latency",
                    says="p95 of five minutes as CloudWatch computes it; only with metrics of its own.",
                    unit="s",
                ),
                {"{{account_id}} {{stage}}": f"max by (account_id, stage) ({_STAGE}_p95{{{_ACCOUNT}}})"},
            )
        )
        .with_panel(
            graph(
                About(title="Errors", says="In an hour, by reason; only with metrics of its own."),
                {
                    "{{stage}} {{reason}}": "sum by (stage, reason) ("
                    f"sum_over_time({_ERRORS}{{{_ACCOUNT}}}[1h] offset 5m))",
                    "empty runs": f"sum(sum_over_time({_ZERO}{{{_ACCOUNT}}}[1h] offset 5m))",
                },
            )
        )
        .with_panel(
            lines(
                About(title="Log", says="Lines of this account and request."),
                '{app="mono-pipeline"} | json | account_id=~"$account_id" | correlation_id=~"$correlation_id"',
            )
        )
        .build()
    )


def cost() -> Dashboard:
    """What CloudWatch and the exporter cost, and whether they work.

    The newest point of CloudWatch is three to twelve minutes old, and Prometheus looks back five: what counts series
    counts those of the last hour, or it would show nothing.
    """
    asked = "yace_cloudwatch_getmetricdata_metrics_requested_total"
    return (
        board("mono-pipeline-cost", "mono-pipeline: cost", "What does watching cost, and does it work?", since="now-7d")
        .with_panel(
            number(
                About(title="GetMetricData a month", says="0.01 USD a thousand metrics asked for.", unit="currencyUSD"),
                f"sum(rate({asked}[1h])) * 86400 * 30 / 1000 * 0.01",
            )
        )
        .with_panel(
            number(
                About(title="Series of the fleet", says="Latency, errors, empty runs."),
                " + ".join(
                    f'count(last_over_time({name}{{scope="fleet"}}[1h]))'
                    for name in (f"{_STAGE}_count", _ERRORS, _ZERO)
                ),
            )
        )
        .with_panel(
            number(
                About(title="Series by account", says="ACCOUNT_METRICS_MODE decides."),
                f'count(last_over_time({_STAGE}_count{{scope="account"}}[1h])) or vector(0)',
            )
        )
        .with_panel(
            number(
                About(title="Accounts in the database", says="Each would be four metrics, eight when it fails."),
                "sum(taxpoynt_mono_pipeline_accounts)",
            )
        )
        .with_panel(
            graph(
                About(title="Metrics asked for", says="A minute.", unit="short"),
                {"asked": f"sum(rate({asked}[1h])) * 60"},
            )
        )
        .with_panel(
            graph(
                About(title="Waits for the rate budget", says="Seconds in five minutes.", unit="s"),
                {"waited": f'sum(sum_over_time({_WAITED}{{scope="fleet"}}[5m] offset 5m))'},
            )
        )
        .with_panel(
            graph(
                About(title="Exporter errors", says="Requests that CloudWatch refused, in 15 minutes."),
                {"{{api_name}}": "sum by (api_name) (increase(yace_cloudwatch_request_errors[15m]))"},
            )
        )
        .build()
    )


def _error_ratio(accounts: str) -> str:
    runs = f"taxpoynt_mono_pipeline_account_runs_total{{{accounts}}}"
    failed = f'taxpoynt_mono_pipeline_account_runs_total{{{accounts},status="failed"}}'
    return f"sum(increase({failed}[30m])) / sum(increase({runs}[30m]))"


BOARDS: Final = {"release": release, "account": account, "cost": cost}
