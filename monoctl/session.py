"""What one command has at hand: where it goes, where it speaks, what time it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from monoctl.environment import EnvironmentName, read_record, resolve
from monoctl.reach import DeployedReach, EmbeddedReach

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer

    from monoctl.console.output import Output
    from monoctl.reach import Reach


def connect(environment: EnvironmentName) -> Reach:
    """Return the road to an environment; nothing is asked yet."""
    if environment is EnvironmentName.LOCAL:
        return EmbeddedReach(read_record(Path.cwd()))
    return DeployedReach(environment)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What the command line takes from its machine; tests hand in their own (`obj=`)."""

    connect: Callable[[EnvironmentName], Reach] = connect
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class Session:
    """One command. The environment is looked for only when it is needed, so that `--help` works anywhere."""

    def __init__(self, wiring: Wiring, *, given: EnvironmentName | None, output: Output) -> None:
        self.wiring = wiring
        self.output = output
        self._given = given

    @classmethod
    def of(cls, context: typer.Context) -> Session:
        """Return the session that the global options made."""
        session: Session = context.obj
        return session

    @cached_property
    def environment(self) -> EnvironmentName:
        """The environment that is meant; InvalidInput where nothing says which."""
        return resolve(self._given, Path.cwd())

    @cached_property
    def reach(self) -> Reach:
        """The road to it."""
        return self.wiring.connect(self.environment)
