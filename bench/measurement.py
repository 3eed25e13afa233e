"""What a run of a program costs: seconds from start to exit, peak memory of it and its children, and its own words."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from local import child

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.05
_SAMPLES_A_CENSUS = 20  # looking for new children reads all of /proc


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run. `told` is the JSON of the program's last line, `seconds` in it the time inside its engine."""

    wall_seconds: float
    peak_mib: float
    told: Mapping[str, Any]

    @property
    def engine_seconds(self) -> float:
        """Without starting Python and importing."""
        return float(self.told["seconds"])


class RunFailed(Exception):
    """The measured program did not end well; the end of its log is in the message."""


def measure(argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path, patience: float = 600.0) -> Measurement:
    """Run a program to its end.

    Peak memory is the largest sum of resident sets of the process and its descendants, looked at twenty times a second.

    Raises:
        RunFailed: another exit code than 0, no JSON in the last line, or `patience` seconds went by.
    """
    log.unlink(missing_ok=True)
    began = time.perf_counter()
    process = child.spawn(argv, log=log, env=env)
    try:
        peak, ended = _watch(process, give_up=began + patience)
    finally:
        child.stop(process, signals=[signal.SIGTERM])
    if process.returncode:
        raise RunFailed(f"{argv[1]} ended with code {process.returncode}:\n{child.tail(log)}")
    return Measurement(wall_seconds=ended - began, peak_mib=peak / _MIB, told=_last_word(log))


def _watch(process: subprocess.Popen[bytes], *, give_up: float) -> tuple[int, float]:
    """Peak bytes, and when the process ended."""
    ended: list[float] = []
    waiter = threading.Thread(target=lambda: (process.wait(), ended.append(time.perf_counter())), daemon=True)
    waiter.start()  # a blocking wait sees the end at once; one with a timeout looks every 50 ms
    peak, samples, family = 0, 0, [psutil.Process(process.pid)]
    while waiter.is_alive():
        if time.perf_counter() > give_up:
            raise RunFailed("the program took too long")
        if samples % _SAMPLES_A_CENSUS == 0:
            with suppress(psutil.NoSuchProcess):
                family = [family[0], *family[0].children(recursive=True)]
        peak, samples = max(peak, _resident(family)), samples + 1
        waiter.join(_SAMPLE_SECONDS)
    return peak, ended[0]


def _resident(family: Sequence[psutil.Process]) -> int:
    total = 0
    for member in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += member.memory_info().rss
    return total


def _last_word(log: Path) -> Mapping[str, Any]:
    lines = log.read_text(errors="replace").strip().splitlines()
    try:
        told = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise RunFailed(f"no result in the last line of {log}:\n{child.tail(log)}") from error
    if not isinstance(told, dict):
        raise RunFailed(f"no result in the last line of {log}:\n{child.tail(log)}")
    return told
