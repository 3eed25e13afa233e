"""Who takes part, each in its own environment at its best settings, and how each is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.results import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = STATE / "bench"
_LAYER: Final = ROOT / "layers" / "common"

# Of ours, found by trying as the others' settings are, for two processors: while one worker waits for its commit, two
# work; and of the ten answers that a slow bank has under way, none waits to be asked for while rows are landed.
QUICK_WORKERS: Final = 3
PATIENT_WORKERS: Final = 14

_DLT_QUIET: Final[Mapping[str, str]] = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
# Found by trying (docs/performance.md): threads and processes for two cores, files to share among them, no compression.
_DLT_TUNED: Final[Mapping[str, str]] = {
    **_DLT_QUIET,
    "EXTRACT__WORKERS": "2",
    "EXTRACT__MAX_PARALLEL_ITEMS": "4",
    "NORMALIZE__WORKERS": "2",
    "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": "10000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A program that brings all accounts and transactions of the page source into a database.

    `counts` gives rows, credits and debits (minor units) in its tables. A peer is what ours is compared with; the goals
    are against the peer at its best settings, which `sets_goal`.
    """

    name: str
    what: str
    python: Path
    program: Path
    counts: str
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    is_peer: bool = False
    sets_goal: bool = False

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of its process: ours, with its settings, and with bytecode as when installed."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return {**inherited, **self.environment}

    def argv(self, *, base_url: str, database_url: str, home: Path) -> list[str | Path]:
        """How to start it; `home` is for files that it keeps from one run to the next."""
        told = ["--base-url", base_url, "--database-url", database_url]
        kept = ["--pipelines-dir", str(home)] if self.is_peer else []
        return [self.python, self.program, *told, *kept, *self.options]

    def warm_up(self) -> None:
        """Start it once for nothing, so that bytecode is written and files are in the page cache."""
        subprocess.run([self.python, self.program, "--help"], env=self.env, check=True, stdout=subprocess.DEVNULL)


def ours(workers: int, *, python: Path | None = None) -> Contestant:
    """mono-pipeline with so many workers; `python` None means its own environment: what the layer ships, and boto3."""
    region = {"AWS_DEFAULT_REGION": "af-south-1", "POWERTOOLS_SERVICE_NAME": "mono-pipeline"}
    return Contestant(
        name="mono-pipeline" if workers == 1 else f"mono-pipeline x{workers}",
        what=f"{workers} worker{'s' * (workers > 1)}, verification and history included",
        python=python or environment_of("ours", _LAYER / "requirements.txt", f"boto3=={version('boto3')}"),
        program=HERE / "ours.py",
        options=("--workers", str(workers)),
        counts="""SELECT count(*) AS rows,
                         coalesce(sum(amount_minor) FILTER (WHERE direction = 'credit'), 0)::bigint AS credits,
                         coalesce(sum(amount_minor) FILTER (WHERE direction = 'debit'), 0)::bigint AS debits
                  FROM bank_transactions WHERE disappeared_at IS NULL""",
        environment={**region, "PYTHONPATH": str(_LAYER)},
    )


def dlt() -> Contestant:
    """The REST source of dlt into its PostgreSQL destination, parallelized, as its documentation shows both."""
    return Contestant(
        name="dlt",
        what="rest_api source, parallelized, merge by id; else as it comes",
        python=environment_of("dlt", HERE / "peers" / "dlt" / "requirements.txt"),
        program=HERE / "peers" / "dlt" / "load.py",
        counts="""SELECT count(*) AS rows,
                         coalesce(sum(amount) FILTER (WHERE type = 'credit'), 0)::bigint AS credits,
                         coalesce(sum(amount) FILTER (WHERE type = 'debit'), 0)::bigint AS debits
                  FROM mono.transactions""",
        environment=_DLT_QUIET,
        is_peer=True,
    )


def dlt_tuned() -> Contestant:
    """The fastest dlt that we found for this machine: workers, COPY of CSV, files not compressed in between."""
    return replace(
        dlt(),
        name="dlt, tuned",
        what="as dlt; workers for two cores, COPY of CSV, no compression: the fastest we found",
        options=("--format", "csv"),
        environment=_DLT_TUNED,
        sets_goal=True,
    )


def environment_of(name: str, requirements: Path, *more: str, options: tuple[str, ...] = ()) -> Path:
    """The Python of a virtual environment that has exactly what is asked for; made when it is not there yet.

    `options` are pip's, for the requirements.
    """
    home = ENVIRONMENTS / name
    wanted = sha256(requirements.read_bytes() + repr((more, sys.version)).encode()).hexdigest()
    python, stamp = home / "bin" / "python", home / "bench.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {name} into {home.relative_to(ROOT)} …")
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    # pip compiles what it installs, so that no contestant pays for that while it is measured
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, "-r", requirements], check=True)
    if more:
        subprocess.run([*pip, *more], check=True)
    stamp.write_text(wanted)
    return python
