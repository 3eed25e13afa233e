"""The clock that a test lets run ahead, in the embedded stack's functions alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from local.build import ROOT, _source_files
from local.runtime_boot import AHEAD_FILE, run_ahead

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_clock_is_ahead_by_as_many_seconds_as_the_file_has_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment on at which it has them, and with nothing of them in memory or on the disk."""
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", real)  # put back afterwards
    ahead = tmp_path / "ahead"
    ahead.touch()
    run_ahead(str(ahead))
    level = time.monotonic() - real()

    os.truncate(ahead, 300)
    jumped = time.monotonic() - real()

    assert abs(level) < 1
    assert abs(jumped - 300) < 1


def test_nothing_that_is_shipped_knows_of_it() -> None:
    """Neither the layer, nor a function, nor the template."""
    shipped = [path for path in _source_files() if path.relative_to(ROOT).parts[0] != "local"]
    assert len(shipped) > 100
    assert [path for path in shipped if AHEAD_FILE.encode() in path.read_bytes()] == []
