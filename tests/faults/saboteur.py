"""Things that happen to a worker's statements: strikes inside a flush, and a second session that does harm."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.harness import Pipeline

PATIENCE_SECONDS = 20.0


class Saboteur:
    """A session of its own. `arm` lets the nth write of transactions, counted over all sessions, come to harm."""

    def __init__(self, address: DatabaseAddress) -> None:
        self.database = Database(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def arm(self, action: str, *, nth: int = 2, table: str = "bank_transactions") -> None:
        """At the nth insert into `table` carry out `action`, PL/pgSQL; the sequence that counts outlives rollbacks."""
        self.database.rows("CREATE SEQUENCE IF NOT EXISTS strikes")
        self.database.rows(
            f"""CREATE OR REPLACE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF nextval('strikes') = {nth} THEN {action}; END IF; RETURN NULL; END $$"""
        )
        self.database.rows(
            f"""CREATE OR REPLACE TRIGGER strike AFTER INSERT ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION strike()"""
        )

    def disarm(self) -> None:
        """No more harm."""
        self.database.rows("DROP TRIGGER strike ON bank_transactions")

    def wait_for(self, statement: str, **parameters: Any) -> dict[str, Any]:
        """The first row of `statement`, asked until there is one."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            row = self.database.row(statement, **parameters)
            if row is not None:
                return row
            time.sleep(0.01)  # another process has to get there; nothing tells us when
        raise AssertionError(f"it never came to {statement}")


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """Carry out `action` in another thread; leaving waits for it and raises what it raised."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS + 10)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


class At(SandboxTransport):
    """Lets something happen once, just before the answer to a page of transactions."""

    def __init__(self, pipeline: Pipeline, page: int, happening: Callable[[], object]) -> None:
        super().__init__(pipeline.sandbox)
        self._page, self._happening = str(page), happening
        self._armed = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, after what has to happen."""
        if self._armed and request.url.path.endswith("/transactions") and request.url.params["page"] == self._page:
            self._armed = False
            self._happening()
        return super().handle_request(request)


def session_of(database: Database) -> int:
    """The server process of a connection."""
    row = database.row("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


def database_setting(saboteur: Saboteur, name: str, value: str | None) -> None:
    """A setting for every new session of this database; None takes it back."""
    found = saboteur.database.row("SELECT current_database() AS name")
    assert found is not None
    change = f"RESET {name}" if value is None else f"SET {name} = '{value}'"
    saboteur.database.rows(f"ALTER DATABASE {found['name']} {change}")
