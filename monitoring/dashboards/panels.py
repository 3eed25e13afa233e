"""Panels as these dashboards want them: a title, a sentence, a unit, and a data source by variable."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import dashboard, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${prometheus}")
LOKI: Final = DataSourceRef(type_val="loki", uid="${loki}")
HEIGHT: Final = 8
WIDTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class About:
    """What a panel is called, what it says, and in which of Grafana's units (`s`, `short`, `percentunit`, ...)."""

    title: str
    says: str
    unit: str = "short"


def graph(about: About, queries: Mapping[str, str]) -> timeseries.Panel:
    """A time series of PromQL expressions by their legends (Grafana's `{{label}}` in them)."""
    panel = (
        timeseries.Panel()
        .title(about.title)
        .description(about.says)
        .unit(about.unit)
        .datasource(PROMETHEUS)
        .height(HEIGHT)
        .span(WIDTH)
    )
    # of queries with one letter Grafana shows the last alone
    for letter, (legend, expression) in zip(ascii_uppercase, queries.items(), strict=False):
        panel = panel.with_target(prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter))
    return panel


def number(about: About, expression: str, *, span: int = 6) -> stat.Panel:
    """One number as it is now."""
    return (
        stat.Panel()
        .title(about.title)
        .description(about.says)
        .unit(about.unit)
        .datasource(PROMETHEUS)
        .height(4)
        .span(span)
        .with_target(prometheus.Dataquery().expr(expression).instant().ref_id("A"))
    )


def rows(about: About, expression: str) -> table.Panel:
    """A table of the series that an expression has now."""
    return (
        table.Panel()
        .title(about.title)
        .description(about.says)
        .unit(about.unit)
        .datasource(PROMETHEUS)
        .height(HEIGHT)
        .span(WIDTH)
        .with_target(prometheus.Dataquery().expr(expression).instant().format(PromQueryFormat.TABLE).ref_id("A"))
    )


def lines(about: About, expression: str) -> logs.Panel:
    """Log lines of a LogQL expression."""
    return (
        logs.Panel()
        .title(about.title)
        .description(about.says)
        .datasource(LOKI)
        .height(10)
        .span(24)
        .with_target(loki.Dataquery().expr(expression).ref_id("A"))
    )


def board(uid: str, title: str, says: str, *, since: str) -> dashboard.Dashboard:
    """An empty dashboard with its data sources as variables; uneditable, since the file is made from code."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(says)
        .tags(["mono-pipeline"])
        .readonly()
        .refresh("1m")
        .time(since, "now")
        .timezone("Africa/Lagos")
        .with_variable(dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus"))
        .with_variable(dashboard.DatasourceVariable("loki").label("Loki").type("loki"))
    )
