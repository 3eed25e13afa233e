"""No unit test reaches for the network: what it needs of the outside it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_socket import disable_socket, enable_socket

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Take sockets away for the length of a test; pairs within the process are none of the network's."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
