"""Fixtures of the fault matrix: the shared PostgreSQL, one of its own for what destroys, and what a row has seen."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from local.postgres import PostgresServer
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate
from tests.dead_letter_desk import desk, sqs_server
from tests.faults.invocation import WorkerFunction
from tests.faults.own_server import OwnServer
from tests.harness import Pipeline
from tests.integration.conftest import MIGRATIONS, address, database_address, new_pipeline, pipeline, server, template
from tests.webhook_door import OLD_SECRET, Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["address", "desk", "new_pipeline", "pipeline", "server", "sqs_server", "template"]  # fixtures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pg8000 be noisy about connections that were cut: it drops them with unsent bytes in their buffers."""
    noisy = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(noisy)


@pytest.fixture(autouse=True)
def _noise_ends_with_its_test() -> Iterator[None]:
    """What a test dropped is collected in the test, where its noise is expected."""
    yield
    gc.collect()


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes down what the row really observed; the table prints it beside what was expected."""

    def note(text: str) -> None:
        record_property("seen", text)

    return note


@pytest.fixture
def invoke(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> WorkerFunction:
    """Invokes the worker function with records; the ids of the items that it reports as failed."""
    return WorkerFunction(pipeline, monkeypatch)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """The webhook's door, with one secret."""
    return Door(monkeypatch)


@pytest.fixture
def rotating(door: Door) -> Door:
    """The same in the middle of a rotation."""
    door.ssm.secrets["MONO_WEBHOOK_SECRET_PREVIOUS"] = OLD_SECRET
    return door


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A stopped cluster at the newest schema, to be copied. Durable, as a real one is."""
    with TemporaryDirectory(prefix="mono-pipeline-") as folder:
        made = Path(folder) / "cluster"
        with PostgresServer.start(made, settings={"fsync": "off"}) as started:
            started.ensure_database("pipeline")
            migrate(started.url("pipeline"), MIGRATIONS)
        yield made


@pytest.fixture
def own_server(cluster: Path) -> Iterator[OwnServer]:
    """A PostgreSQL server that one test may destroy."""
    with TemporaryDirectory(prefix="mono-pipeline-") as folder:
        Path(folder).chmod(0o711)  # the server's user has to pass
        copied = Path(folder) / "cluster"
        # the copy has to belong to whom the cluster belongs to, and copytree would give it to us
        shutil.copytree(cluster, copied, copy_function=_copy_with_owner)
        _owners_like(cluster, copied)
        own = OwnServer(copied)
        yield own
        own.stop()


@pytest.fixture
def own_pipeline(own_server: OwnServer) -> Iterator[Pipeline]:
    """A pipeline on it."""
    own_server.start()
    made = Pipeline(database_address(own_server.running, "pipeline"), Sandbox(seed="faults"))
    yield made
    made.close()


def _copy_with_owner(source: str, target: str) -> str:
    shutil.copy2(source, target)
    return target


def _owners_like(model: Path, copied: Path) -> None:
    owner = model.stat()
    for path in [copied, *copied.rglob("*")]:
        shutil.chown(path, owner.st_uid, owner.st_gid)
