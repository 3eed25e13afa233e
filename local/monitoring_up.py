"""What `make up` adds where the programs are installed: the monitoring chain over the stack's own logs and database."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Final

from local import child
from local.monitoring import REAL, Chain, missing
from local.ports import LOOPBACK, answers, free_port
from local.results import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack
    from pathlib import Path

_START_SECONDS: Final = 20.0


# Where what is running answers, by its names in stack.json; all None where a program is not installed.
NOWHERE: Final[Mapping[str, str | None]] = dict.fromkeys(("prometheus", "alertmanager", "metrics", "account_metrics"))


def start_monitoring(
    until: ExitStack, *, logs: Path, folder: Path, database_url: str, processes: dict[str, int]
) -> Mapping[str, str | None]:
    """Start the stand-in for CloudWatch, the account exporter, the exporter, Prometheus and Alertmanager.

    They end when `until` is closed. The numbers of the processes go into `processes`.

    Returns:
        The URLs of Prometheus, of Alertmanager and of both exporters' /metrics; `NOWHERE` where a program is not
        installed (`monitoring/install.sh`).
    """
    if missing() is not None:
        return NOWHERE
    cloudwatch, processes["cloudwatch"] = _started(
        until, "cloudwatch", ["local.cloudwatch", "--logs", str(logs)], folder=logs.parent
    )
    accounts, processes["account-exporter"] = start_account_exporter(
        until, folder=logs.parent, database_url=database_url
    )
    chain = Chain(
        folder,
        cloudwatch=f"http://{LOOPBACK}:{cloudwatch}",
        pace=REAL,
        account_exporter=f"{LOOPBACK}:{accounts}",
    )
    until.enter_context(chain)
    processes |= chain.processes
    return {
        "prometheus": chain.prometheus,
        "alertmanager": chain.alertmanager,
        "metrics": f"{chain.exporter}/metrics",
        "account_metrics": f"http://{LOOPBACK}:{accounts}/metrics",
    }


def start_account_exporter(until: ExitStack, *, folder: Path, database_url: str) -> tuple[int, int]:
    """Start it over this database, as the role that may read nothing else, until `until` is closed.

    Returns:
        Its port on loopback, and its process.
    """
    as_monitor = database_url.replace("//postgres@", "//monitor@")
    command = ["monitoring.account_exporter", "--database-url", as_monitor]
    return _started(until, "account-exporter", command, folder=folder)


def _started(until: ExitStack, name: str, arguments: list[str], *, folder: Path) -> tuple[int, int]:
    port = free_port()
    log = folder / f"{name}.out"  # not among the functions' logs, which are read
    process = child.spawn([sys.executable, "-m", *arguments, "--port", str(port)], log=log, cwd=ROOT)
    until.callback(child.stop, process, signals=[signal.SIGTERM])
    child.wait_until(lambda: answers(port), child=process, what=name, log=log, patience=_START_SECONDS)
    return port, process.pid
