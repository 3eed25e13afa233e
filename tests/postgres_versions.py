"""The supported releases of PostgreSQL beside the usual one: where the programs of each are, and what is run on each.

`make postgres-test` runs on 15, 16 and 17 those tests of `make test` that talk to the database. Writes
`.local/postgres-test.json`.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.etree import ElementTree as ET

from local.results import ROOT, ResultRow, passed, write_results

EARLIER: Final = (15, 16, 17)
USUAL: Final = 18
MAJOR: Final = "POSTGRES_MAJOR"  # the release that a run is meant for, so that it cannot be another one unnoticed
FEWEST: Final = 700  # tests on a release: fewer, and something was not collected
OTHER_THINGS: Final = (  # of tests/integration: not about the database, or of a server and clients of their own
    "tests/integration/local",
    "tests/integration/sandbox",
    "tests/integration/template",
    "tests/integration/test_large_table.py",
    "tests/integration/test_mono_client_sockets.py",
)


def binaries(release: int) -> Path | None:
    """The folder of `initdb` and `postgres` of an earlier release; None where `make postgres` has not been."""
    processor = "arm64" if platform.machine() in ("aarch64", "arm64") else "x64"
    folder = (
        ROOT
        / ".local"
        / "postgres-releases"
        / "node_modules"
        / f"postgres-{release}-linux-{processor}"
        / "native"
        / "bin"
    )
    return folder if (folder / "postgres").exists() else None


def run_on(release: int) -> ResultRow:
    """Run the tests on one release, and say how many passed."""
    folder = binaries(release)
    if folder is None:
        return _row(release, "not installed: make postgres", ok=False)
    sys.stdout.write(f"postgres-test: PostgreSQL {release}\n")
    sys.stdout.flush()
    left_out = [f"--ignore={path}" for path in OTHER_THINGS]
    with TemporaryDirectory(prefix="mono-pipeline-") as reports:
        report = Path(reports) / "report.xml"
        code = subprocess.run(  # noqa: S603 - our own tests
            [sys.executable, "-m", "pytest", "-n", "auto", f"--junitxml={report}", *left_out, "tests/integration"],
            cwd=ROOT,
            env={**os.environ, "POSTGRES_BIN": str(folder), MAJOR: str(release)},
            check=False,
        ).returncode
        if not report.exists():
            return _row(release, f"pytest ended with {code}", ok=False)
        (suite,) = ET.parse(report).getroot()  # noqa: S314 - written by the line above
    run, bad, skipped = (int(suite.attrib[name]) for name in ("tests", "failures", "skipped"))
    good = run - bad - skipped - int(suite.attrib["errors"])
    return _row(release, good, ok=code == 0 and good >= FEWEST)


def _row(release: int, value: int | str, *, ok: bool) -> ResultRow:
    what = f"tests passed on PostgreSQL {release}"
    return ResultRow(id=f"postgresql-{release}", what=what, value=value, unit="tests", goal=f"all, and {FEWEST}", ok=ok)


def main() -> int:
    """Run on each release; 0 when all passed on all."""
    rows = [run_on(release) for release in EARLIER]
    write_results("postgres-test", rows)
    for row in rows:
        sys.stdout.write(f"{'as promised' if row.ok else 'NOT AS PROMISED'}  {row.what}: {row.value}\n")
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
