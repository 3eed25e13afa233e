"""The tests run on the release of PostgreSQL that they are meant for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.postgres_versions import MAJOR, USUAL

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_the_server_is_of_the_release_that_was_asked_for(pipeline: Pipeline) -> None:
    """Else `make postgres-test` would pass three times on the usual one."""
    (row,) = pipeline.rows("SHOW server_version_num")

    assert int(row["server_version_num"]) // 10_000 == int(os.environ.get(MAJOR, USUAL))
