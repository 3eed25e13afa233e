"""The schema changes under the code: while the code before it still runs, and when its migration is cut off."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mono_pipeline.adapters.migrator import migrate
from tests.earlier_code import before_the_newest_migration, check_out, its_tests_on_our_schema
from tests.faults.recovery import recover
from tests.faults.saboteur import Saboteur
from tests.integration.conftest import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
FEWEST: Final = 30  # tests: fewer, and files were chosen that it had not
MIGRATE = """
import sys
from pathlib import Path
from mono_pipeline.adapters.migrator import migrate
migrate(sys.argv[1], Path(sys.argv[2]))
"""
# Of the code before: a sync, wake-ups, every verdict, and what is kept. `python -m tests.earlier_code` runs them all.
ITS_TESTS: Final = (
    "tests/integration/test_sync.py",
    "tests/integration/engine/test_engine_wake_up.py",
    "tests/integration/evidence/test_verdict.py",
    "tests/integration/retention/test_retention.py",
)


def test_P18_old_code_on_the_new_schema(tmp_path: Path, seen: Callable[[str], None]) -> None:
    """The commit before the newest migration passes its own tests on a database that has it: code can go back."""
    newest, commit = before_the_newest_migration()
    check_out(commit, tmp_path)

    ran = its_tests_on_our_schema(tmp_path, *ITS_TESTS)

    assert ran.returncode == 0, ran.stdout[-4000:]
    passed = re.search(r"^(\d+) passed in", ran.stdout, re.MULTILINE)
    assert passed, ran.stdout
    assert int(passed[1]) >= FEWEST
    seen(f"{commit[:7]} on {newest.split('_')[0]}: {passed[1]} of its own tests passed")


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
