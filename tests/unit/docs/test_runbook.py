"""docs/runbook.md: a section for every failure reason, links that lead somewhere, and commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import boto3
import promql_parser
import pytest
from botocore import xform_name

from mono_pipeline.core.classify import ErrorReason

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "runbook.md").read_text()
PROCEDURES: Final = (
    "Before and during a release",
    "Rolling back",
    "A secret is changed",
    "An account is re-authorised",
    "Days are read again",
    "The database is restored",
    "Data got out: the 72 hours",
    "Cron jobs of before",
)


def blocks(language: str) -> list[str]:
    """The code blocks of a language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.+?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(heading: str, level: int) -> str:
    """The text below a heading, to the next of its level or above."""
    found = re.search(
        rf"^{'#' * level} {re.escape(heading)}\n(.+?)(?=^#{{2,{level}}} |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert found is not None, heading
    return found[1]


@pytest.mark.parametrize("reason", ErrorReason)
def test_every_failure_reason_has_meaning_query_and_action(reason: ErrorReason) -> None:
    """Whoever sees the word in a run finds what to do."""
    text = section(f"`{reason}`", 3)
    assert text.strip().index("Look at:") > 20
    assert "```sql" in text or "```promql" in text
    assert reason in text or "```sql" in text
    assert "monoctl --env prod" in text.partition("Do:")[2]


def test_no_section_is_of_a_reason_that_is_gone() -> None:
    """The list is closed, both ways."""
    told = re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(ErrorReason)


@pytest.mark.parametrize("heading", PROCEDURES)
def test_every_procedure_is_there_with_its_commands(heading: str) -> None:
    """Release, rollback, secrets, re-authorisation, backfill, restore, breach, cron jobs."""
    assert "```sh" in section(heading, 2)


def test_the_breach_clock_is_the_acts() -> None:
    """72 hours from becoming aware, to the Commission; the people at once."""
    text = section("Data got out: the 72 hours", 2)
    for words in ("Data Protection Act 2023, section 40", "within 72 hours of becoming aware", "NDPC", "at once"):
        assert words in text


def test_links_lead_somewhere() -> None:
    """Within the page and to its neighbours."""
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, fragment = target.partition("#")
        if path:
            assert (DOCS / path).exists(), target
            neighbour = (DOCS / path).read_text()
            known = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", neighbour, re.MULTILINE)}
        else:
            known = anchors
        assert not fragment or fragment in known, target


@pytest.mark.parametrize("expression", [line for block in blocks("promql") for line in block.splitlines()])
def test_every_promql_query_is_one(expression: str) -> None:
    """By the parser of Prometheus."""
    assert promql_parser.parse(expression) is not None


AWS: Final = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("aws ")]


@pytest.mark.parametrize("command", AWS)
def test_every_aws_command_is_in_awss_own_model(command: str) -> None:
    """Service, operation and options exist and what is required is given; nothing is carried out."""
    _, service, operation, *options = shlex.split(command)
    client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    name = client.meta.method_to_api_mapping[operation.replace("-", "_")]
    shape = client.meta.service_model.operation_model(name).input_shape
    known = {xform_name(member).replace("_", "-"): member for member in shape.members}
    given = {known[each.removeprefix("--").removeprefix("no-")] for each in options if each.startswith("--")}
    assert set(shape.required_members) <= given


def test_there_are_commands_of_each_kind() -> None:
    """A page that lost its blocks would pass everything above."""
    assert len(AWS) >= 3
    assert len(blocks("sql")) >= 10
    assert len(blocks("sh")) >= 40
