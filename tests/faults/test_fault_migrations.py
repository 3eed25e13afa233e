"""The schema changes under the code: while the code before it still runs, and when its migration is cut off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.migrator import migrate
from tests.earlier_code import before_the_newest_migration, check_out
from tests.faults.recovery import recover
from tests.faults.saboteur import Saboteur
from tests.integration.conftest import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
MIGRATE = """
import sys
from pathlib import Path
from mono_pipeline.adapters.migrator import migrate
migrate(sys.argv[1], Path(sys.argv[2]))
"""
OLD_SYNC = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/layers/common"]
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import DatabaseAddress
from tests.harness import Pipeline
import tests.harness
assert tests.harness.__file__.startswith(sys.argv[1])
address = DatabaseAddress(host="127.0.0.1", port=int(sys.argv[2]), database=sys.argv[3], user="postgres")
pipeline = Pipeline(address, Sandbox(seed="old code"))
account = pipeline.link(transactions=250)
first = pipeline.sync(account)
pipeline.sandbox.add(account, count=3)
second = pipeline.sync(account)
assert pipeline.stored(account) == pipeline.truth(account)
print(len(pipeline.stored(account)), first.verdict.kind, second.verdict.kind)
pipeline.close()
"""


def test_P18_old_code_on_the_new_schema(pipeline: Pipeline, tmp_path: Path, seen: Callable[[str], None]) -> None:
    """The commit before the newest migration syncs on a database that has it: a rollback of the code is safe."""
    newest, commit = before_the_newest_migration()
    check_out(commit, tmp_path)
    address = pipeline.address
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", OLD_SYNC, str(tmp_path), str(address.port), address.database],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    rows, *verdicts = ran.stdout.split()
    assert (rows, set(verdicts)) == ("253", {"verified"})
    seen(f"{commit[:7]} on {newest.split('_')[0]}: {rows} rows, {' and '.join(verdicts)}")


def test_P19_migration_killed_and_run_at_once(pipeline: Pipeline, tmp_path: Path, seen: Callable[[str], None]) -> None:
    """SIGKILL in the middle of a file leaves nothing of it; then two runners at once apply it once."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    slow = folder / "9001_pre_slow.sql"
    slow.write_text("CREATE TABLE added (id int);\nSELECT pg_sleep(60);\n")
    url = pipeline.address.url
    runner = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", MIGRATE, url, str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "layers" / "common")},
    )
    with Saboteur(pipeline.address) as saboteur:
        sleeping = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        pid = saboteur.wait_for(sleeping)["pid"]
        runner.send_signal(signal.SIGKILL)
        runner.wait(10)
        # the server notices only when it has something to say to its client
        saboteur.database.rows("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
        left = saboteur.database.rows("SELECT to_regclass('added') AS name")[0]["name"]
        slow.write_text("CREATE TABLE added (id int);\n")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: migrate(url, folder), range(2)))
        again = saboteur.database.rows("SELECT to_regclass('added')::text AS name")[0]["name"]
    account = pipeline.link(transactions=60)
    pipeline.sync(account)
    recovered = recover(pipeline, account)

    assert (left, again) == (None, "added")
    seen(f"killed: table {left}; two runners at once: {again}, no error; a sync of {recovered.rows} rows")
