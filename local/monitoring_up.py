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
    from contextlib import ExitStack
    from pathlib import Path

_START_SECONDS: Final = 20.0


def start_monitoring(
    until: ExitStack, *, logs: Path, folder: Path, database_url: str, processes: dict[str, int]
) -> str | None:
    """Start the stand-in for CloudWatch, the account exporter, the exporter, Prometheus and Alertmanager.

    They end when `until` is closed. The numbers of the processes go into `processes`.

    Returns:
        Prometheus' URL; None where a program is not installed (`monitoring/install.sh`).
    """
    if missing() is not None:
        return None
    cloudwatch, accounts = free_port(), free_port()
    as_monitor = database_url.replace("//postgres@", "//monitor@")
    for name, port, arguments in (
        ("cloudwatch", cloudwatch, ["local.cloudwatch", "--logs", str(logs)]),
        ("account-exporter", accounts, ["monitoring.account_exporter", "--database-url", as_monitor]),
    ):
        log = logs.parent / f"{name}.out"  # not among the functions' logs, which are read
        process = child.spawn([sys.executable, "-m", *arguments, "--port", str(port)], log=log, cwd=ROOT)
        until.callback(child.stop, process, signals=[signal.SIGTERM])
        processes[name] = process.pid
        child.wait_until(
            lambda port=port: answers(port),  # type: ignore[misc] # bound now, not when it is called
            child=process,
            what=name,
            log=log,
            patience=_START_SECONDS,
        )
    chain = Chain(
        folder,
        cloudwatch=f"http://{LOOPBACK}:{cloudwatch}",
        pace=REAL,
        account_exporter=f"{LOOPBACK}:{accounts}",
    )
    until.enter_context(chain)
    processes |= chain.processes
    return chain.prometheus
