"""A measurement that would fill the disk is ended before it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bench.disk_watch import DiskNearlyFull, DiskWatch

if TYPE_CHECKING:
    from pathlib import Path

    from local.postgres import ShutdownMode


@dataclass
class Server:
    """Notes how it was stopped."""

    data_dir: Path
    stopped: list[ShutdownMode] = field(default_factory=list)

    def stop(self, mode: ShutdownMode = "fast") -> None:
        """As a server does."""
        self.stopped.append(mode)


def test_a_nearly_full_disk_stops_the_server_and_says_why(tmp_path: Path) -> None:
    """Whatever then fails for want of a server is not what is reported."""
    server = Server(tmp_path)
    with (
        pytest.raises(DiskNearlyFull, match=r"GB of the disk are left, and 1000000000 must stay"),
        DiskWatch(server, reserve=10**18),
    ):
        raise ConnectionError("the server is gone")
    assert server.stopped == ["immediate"]


def test_an_error_of_the_measurement_stays_its_own(tmp_path: Path) -> None:
    """With room on the disk nobody is stopped."""
    server = Server(tmp_path)
    with pytest.raises(ValueError, match="of the measurement"), DiskWatch(server, reserve=0):
        raise ValueError("of the measurement")
    assert server.stopped == []
