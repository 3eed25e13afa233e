"""The account exporter's image, built from the shipped layer, serves what the database says; skipped without Docker."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx
import pytest

from local.bridge import NoDocker, docker_gateway
from local.build import ARTIFACTS
from local.exporter_image import build
from local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import EmbeddedStack

BASE: Final = "public.ecr.aws/lambda/python:3.13-x86_64"


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    """What Docker's command line says."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607 - as named


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Built where there is an engine with the image of Lambda's Python."""
    try:
        docker_gateway()
    except NoDocker:
        pytest.skip("no Docker engine answers here")
    if docker("image", "inspect", BASE).returncode:
        pytest.skip(f"Docker has no {BASE}, and nothing is fetched here")
    if docker("info", "--format", "{{.Driver}}").stdout.strip() == "vfs":
        pytest.skip("Docker's driver vfs copies the whole image for each step, which takes minutes")
    tag = f"account-exporter-test:{uuid4().hex}"
    build(tag, layer=ARTIFACTS / "CommonLayer", base=BASE, platform="linux/amd64")
    yield tag
    docker("image", "rm", "--force", tag)


def test_it_serves_what_the_database_says(image: str, stack: EmbeddedStack) -> None:
    """As the task runs it: nobody in particular, on a file system that cannot be written."""
    database = httpx.URL(stack.record["database_url"])
    url = f"postgresql://monitor@{LOOPBACK}:{database.port}{database.path}"
    port = free_port()
    run = ("run", "--detach", "--network", "host", "--read-only", "--user", "65534", image)
    started = docker(*run, "--database-url", url, "--port", str(port))
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        page = _page(f"http://{LOOPBACK}:{port}/metrics", container)
    finally:
        docker("rm", "--force", container)
    assert 'taxpoynt_mono_pipeline_accounts{link_status="linked"}' in page
    assert 'taxpoynt_mono_pipeline_accounts_by_verdict{verdict="mismatch"}' in page


def _page(address: str, container: str) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return httpx.get(address, timeout=10, trust_env=False).raise_for_status().text
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(docker("logs", container).stderr)
