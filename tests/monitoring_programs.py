"""Tests of the monitoring chain need programs that are not everywhere: skipped without them, but never in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def needs(lack: str | None) -> pytest.MarkDecorator:
    """Skip where something is lacking, for this reason; with CI set the test runs, and fails of it."""
    return pytest.mark.skipif(lack is not None and not os.environ.get("CI"), reason=str(lack))


def lacks(what: str) -> NoReturn:
    """End a test that cannot go on: skipped, or failed in CI."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
