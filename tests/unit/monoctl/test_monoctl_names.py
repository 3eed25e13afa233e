"""monoctl finds things on AWS by the names that template.yaml gives them."""

from __future__ import annotations

import re
from pathlib import Path

from monoctl.reach.deployed import API_OUTPUT
from monoctl.reach.ops import ALIAS

ROOT = Path(__file__).parents[3]
TEMPLATE = (ROOT / "template.yaml").read_text()


def test_the_ops_function_has_the_name_and_alias_that_monoctl_invokes() -> None:
    """`mono-pipeline-{env}-ops`, alias `live`."""
    assert "FunctionName: !Sub mono-pipeline-${Environment}-ops\n" in TEMPLATE
    assert f"AutoPublishAlias: {ALIAS}\n" in TEMPLATE


def test_the_api_s_address_is_an_output_with_its_stage() -> None:
    """Requests are signed over the path with the stage."""
    outputs = TEMPLATE.partition("\nOutputs:\n")[2]

    assert re.search(rf"^  {API_OUTPUT}:\n(?:    .*\n)*?    Value: .*/\${{Environment}}$", outputs, re.MULTILINE)


def test_the_stack_of_every_environment_has_the_name_that_monoctl_asks_for() -> None:
    """`sam deploy --config-env` gives it."""
    configuration = (ROOT / "samconfig.toml").read_text()

    for environment in ("dev", "staging", "prod"):
        assert f'stack_name = "mono-pipeline-{environment}"' in configuration


def test_every_function_logs_below_the_prefix_that_monoctl_reads() -> None:
    """One group each."""
    groups = re.findall(r"LogGroupName: !Sub (/aws/lambda/\S+)", TEMPLATE)

    assert groups
    assert all(group.startswith("/aws/lambda/mono-pipeline-${Environment}-") for group in groups)
    assert len(groups) == TEMPLATE.count("Type: AWS::Serverless::Function\n")
