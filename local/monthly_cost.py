"""What a month costs on AWS by the number of accounts, from the dated price table docs/costs.toml.

How many alarms, keys, firewall rules, endpoints and tasks there are is counted in the templates. `python -m
local.monthly_cost` prints the table of docs/deploy.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samtranslator.yaml_helper import yaml_parse

from local.permissions import DEPLOYED
from local.template import ROOT, Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRICES: Final = ROOT / "docs" / "costs.toml"
_DAYS: Final = 30.4  # in a month
_KB_IN_GB: Final = 1_000_000
_MILLION: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Month:
    """One size: USD a month by what it is for, in the order of the table."""

    accounts: int
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """USD a month."""
        return sum(self.parts.values())


def load() -> dict[str, Any]:
    """The price table, with what the templates have of what is paid by the piece."""
    table = tomllib.loads(PRICES.read_text())
    table["fixed"].update(pieces())
    return table


def pieces() -> dict[str, int]:
    """What production has of each kind, in the application and the stacks beside it."""
    application = Template.expand(parameters=DEPLOYED)
    beside = [
        resource
        for path in sorted((ROOT / "infra").glob("*.yaml"))
        for resource in yaml_parse(path.read_text())["Resources"].values()
    ]

    def count(kind: str) -> int:
        return len([*application.of_type(kind), *(each for each in beside if each["Type"] == kind)])

    endpoints = [each["Properties"] for each in beside if each["Type"] == "AWS::EC2::VPCEndpoint"]
    (firewall,) = (properties for _, properties in application.of_type("AWS::WAFv2::WebACL"))
    return {
        "alarms": count("AWS::CloudWatch::Alarm"),
        "kms_keys": count("AWS::KMS::Key"),
        "waf_rules": len(firewall["Rules"]),
        "endpoint_zones": sum(len(each["SubnetIds"]) for each in endpoints),
        "tasks": count("AWS::ECS::Service"),
    }


def month(table: Mapping[str, Any], *, accounts: int, instance: str) -> Month:
    """What `accounts` accounts cost on a database of class `instance`."""
    price, one, fixed, hours = table["price"], table["account"], table["fixed"], table["hours_a_month"]
    syncs = accounts * one["syncs_a_day"] * _DAYS
    webhooks = accounts * one["webhooks_a_day"] * _DAYS
    invocations = syncs * 2 + webhooks + fixed["ticks_a_month"]
    stored_gb = accounts * one["transactions_a_month"] * one["history_months"] * one["row_kb"] / _KB_IN_GB
    log_gb = syncs * one["log_kb_a_sync"] / _KB_IN_GB
    parts = {
        "database": price[f"rds_{instance}_hour"] * hours + max(stored_gb * 1.5, 50) * price["rds_gb_month"],
        "functions": syncs * one["sync_seconds"] * one["sync_memory_gb"] * price["lambda_gb_second_arm"]
        + invocations / _MILLION * price["lambda_million_requests"],
        "queues and API": (syncs + webhooks) * 4 / _MILLION * price["sqs_million_requests"]
        + webhooks / _MILLION * price["api_million_requests"],
        "network": (price["nat_hour"] + fixed["endpoint_zones"] * price["endpoint_hour"]) * hours
        + syncs * one["answer_kb_a_sync"] / _KB_IN_GB * price["nat_gb"],
        "logs and metrics": log_gb * (price["logs_gb_in"] + price["logs_gb_month"])
        + fixed["custom_metrics"] * price["metric_month"]
        + fixed["exporter_queries_a_month"] / 1_000 * price["get_metric_data_thousand"]
        + fixed["alarms"] * price["alarm_month"]
        + fixed["tasks"] * hours * (price["fargate_vcpu_hour_arm"] / 4 + price["fargate_gb_hour_arm"] / 2),
        "firewall and keys": price["waf_acl_month"]
        + fixed["waf_rules"] * price["waf_rule_month"]
        + webhooks / _MILLION * price["waf_million_requests"]
        + fixed["kms_keys"] * price["kms_key_month"]
        + price["secret_month"]
        + (syncs + webhooks) / 10_000 * price["kms_ten_thousand_requests"],
    }
    return Month(accounts=accounts, parts=parts)


def months(table: Mapping[str, Any]) -> list[Month]:
    """Each size of the table."""
    return [month(table, accounts=size["accounts"], instance=size["instance"]) for size in table["size"]]


def markdown(sizes: Sequence[Month]) -> str:
    """The table of docs/deploy.md, USD a month, rounded."""
    head = "| USD a month | " + " | ".join(f"{size.accounts:,} accounts" for size in sizes) + " |"
    lines = [head, "|---|" + "---:|" * len(sizes)]
    lines += [
        f"| {part} | " + " | ".join(f"{size.parts[part]:,.0f}" for size in sizes) + " |" for part in sizes[0].parts
    ]
    lines.append("| **together** | " + " | ".join(f"**{size.total:,.0f}**" for size in sizes) + " |")
    lines.append("| an account | " + " | ".join(f"{size.total / size.accounts:,.3f}" for size in sizes) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    print(markdown(months(load())))


if __name__ == "__main__":
    main()
