"""`make sam-local`: built functions in Lambda's container image sync an account; skipped where there is none."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from local.bridge import NoDocker, docker_gateway
from local.ports import free_port
from local.results import passed
from local.sam_local import local_template, measure, serving

if TYPE_CHECKING:
    from pathlib import Path

    from local.stack import EmbeddedStack

IMAGE: Final = "public.ecr.aws/lambda/python:3.13-x86_64"


@pytest.fixture(scope="module")
def gateway() -> str:
    """The Docker engine's, where it has the image of Lambda's Python."""
    try:
        address = docker_gateway()
    except NoDocker:
        pytest.skip("no Docker engine answers here")
    asked = ["docker", "image", "inspect", IMAGE]
    if subprocess.run(asked, capture_output=True, check=False).returncode:  # noqa: S603 - the words above
        pytest.skip(f"Docker has no {IMAGE}, and sam local is told not to fetch it")
    return address


def test_a_sync_through_sam_local_is_a_sync(gateway: str, stack: EmbeddedStack, tmp_path: Path) -> None:
    """The first call starts a container, the next one finds it warm."""
    assert gateway
    with serving(stack.record, folder=tmp_path, port=free_port()) as address:
        rows = measure(stack.record, address)
    assert passed(rows), rows


def test_every_function_is_in_the_template_of_sam_local(stack: EmbeddedStack) -> None:
    """With its settings put in, so that `sam local invoke` needs no parameter."""
    document = local_template(stack.record, "172.17.0.1")
    functions = {name: each for name, each in document["Resources"].items() if each["Type"].endswith("::Function")}
    assert {"SyncApi", "SyncSchedule", "SyncWorker", "BackfillWorker", "Webhook", "DlqReplay", "Ops"} <= set(functions)
    for each in functions.values():
        assert all(isinstance(value, str) for value in each["Properties"]["Environment"]["Variables"].values())
