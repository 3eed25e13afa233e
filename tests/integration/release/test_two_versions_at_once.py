"""Old and new code at work on one account at once, as while a deployment shifts traffic: one lease for both."""
# ruff: noqa: N802 - a test carries the name of its row

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AlreadyRunning
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.account_sync import AccountSync
from tests.earlier_code import before_the_newest_migration, check_out
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mono_pipeline.core.run import LeasedRun

    type Says = Callable[[], str]
    type GoOn = Callable[[], None]

pytestmark = pytest.mark.integration

SEED = "two versions at once"
# The code of a checkout: it takes the lease or says that it may not, waits for a line, works, and says how it ended.
OLD_WORKER = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/layers/common"]
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import DatabaseAddress
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AlreadyRunning, LeaseLost
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.account_sync import AccountSync
from tests.harness import Pipeline
import tests.harness
assert tests.harness.__file__.startswith(sys.argv[1])
address = DatabaseAddress(host="127.0.0.1", port=int(sys.argv[2]), database=sys.argv[3], user="postgres")
pipeline = Pipeline(address, Sandbox(seed="two versions at once"))
account = pipeline.worker.accounts.find(str(pipeline.sandbox.create_account(transactions=120)["id"]))
kind = RunKind.INCREMENTAL
pipeline.worker.runs.request(account.id, kind=kind, asked=None, requested_by="test", correlation_id="c-old")
try:
    leased = pipeline.worker.runs.claim(account.id, flag_reason="DEFAULT")
except AlreadyRunning:
    leased = None
print("took the lease" if leased else "may not", flush=True)
sys.stdin.readline()
if leased:
    try:
        print(AccountSync(pipeline.worker).run(leased, Deadline.after(60)).run.run_id, flush=True)
    except LeaseLost:
        print("lost the lease", flush=True)
pipeline.close()
"""


@pytest.fixture
def account(pipeline: Pipeline) -> Iterator[tuple[Pipeline, str]]:
    """An account that both sides know: the bank is made of one seed, and is the same in both processes."""
    mine = Pipeline(pipeline.address, Sandbox(seed=SEED))
    yield mine, mine.link(transactions=120)
    mine.close()


@contextmanager
def old_worker(pipeline: Pipeline, folder: Path) -> Iterator[tuple[Says, GoOn]]:
    """The code before the newest migration, as a process of its own: what it says next, and let it go on."""
    _, commit = before_the_newest_migration()
    check_out(commit, folder)
    address = pipeline.address
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", OLD_WORKER, str(folder), str(address.port), address.database],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said, told = process.stdout, process.stdin

        def go_on() -> None:
            told.write("\n")
            told.flush()

        try:
            yield lambda: said.readline().strip(), go_on
        finally:
            process.kill()


def claimed(pipeline: Pipeline, account_id: str) -> LeasedRun:
    """The lease as today's worker gets it; AlreadyRunning where somebody has it."""
    account = pipeline.worker.accounts.find(account_id)
    pipeline.worker.runs.request(
        account.id, kind=RunKind.INCREMENTAL, asked=None, requested_by="test", correlation_id="c-new"
    )
    leased = pipeline.worker.runs.claim(account.id, flag_reason="DEFAULT")
    assert leased is not None
    return leased


def test_R2_new_code_waits_for_old_code_s_lease_and_old_code_cannot_write_over_it(
    account: tuple[Pipeline, str], tmp_path: Path
) -> None:
    """While old code holds it, new code gets none; once it has run out and was taken, old code's flush is refused."""
    pipeline, name = account
    with old_worker(pipeline, tmp_path) as (says, go_on):
        assert says() == "took the lease"
        with pytest.raises(AlreadyRunning):
            claimed(pipeline, name)
        pipeline.rows("UPDATE bank_accounts SET lease_until = pipeline_now() - interval '1 second'")
        leased = claimed(pipeline, name)
        go_on()
        assert says() == "lost the lease"
        assert pipeline.stored(name) == {}
        ended = AccountSync(pipeline.worker).run(leased, Deadline.after(60))

    row = pipeline.run_row(ended)
    assert (row["verdict"], row["rows_inserted"]) == ("verified", 120)
    assert pipeline.stored(name) == pipeline.truth(name)


def test_R2_old_code_waits_for_new_code_s_lease(account: tuple[Pipeline, str], tmp_path: Path) -> None:
    """The other way round: traffic goes back, and the old worker finds the new one at work."""
    pipeline, name = account
    leased = claimed(pipeline, name)
    with old_worker(pipeline, tmp_path) as (says, _):
        assert says() == "may not"
        ended = AccountSync(pipeline.worker).run(leased, Deadline.after(60))

    assert pipeline.run_row(ended)["verdict"] == "verified"
    assert pipeline.stored(name) == pipeline.truth(name)
