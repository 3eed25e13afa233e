"""What the commands need of an environment, as interfaces: tests stand in for any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import date

    from mypy_boto3_ssm import SSMClient

    from mono_pipeline.adapters.parameters import ParameterStore
    from monoctl.logbook import LogSource
    from monoctl.reach.answer import SyncAnswer
    from monoctl.reach.deployment import Deployment


class CallsSync(Protocol):
    """The HTTP API."""

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """Ask for a sync of an account, of the days from `start` to `end` where they are given."""
        ...

    def run(self, run_id: str) -> SyncAnswer:
        """Return how a run stands."""
        ...


class AsksOps(Protocol):
    """The ops function."""

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to an action; raise OpsRefused with the pipeline's own error."""
        ...


class AsksDeadLetters(Protocol):
    """The dead letters' part of the HTTP API."""

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return how far an action is; the same body goes on with it."""
        ...


class Reach(Protocol):
    """One environment. Each road is built when it is first used, so that `flag show` needs no API and no database."""

    @property
    def api(self) -> CallsSync:
        """The HTTP API."""
        ...

    @property
    def dead_letters(self) -> AsksDeadLetters:
        """The dead letters, over the HTTP API."""
        ...

    @property
    def ops(self) -> AsksOps:
        """The ops function, for what is in the database."""
        ...

    @property
    def deployment(self) -> Deployment:
        """What the environment is made of."""
        ...

    @property
    def ssm(self) -> SSMClient:
        """SSM Parameter Store."""
        ...

    @property
    def parameters(self) -> ParameterStore:
        """SSM Parameter Store as values."""
        ...

    @property
    def logs(self) -> LogSource:
        """What the functions log."""
        ...

    @property
    def prometheus(self) -> str | None:
        """The address of a Prometheus that is known to watch it; None where it has to be given."""
        ...

    @property
    def who(self) -> str:
        """Who is asking, without white space: it is written beside every change of the flag."""
        ...
