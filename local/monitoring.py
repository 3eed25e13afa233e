"""The monitoring chain on this machine: the real exporter, Prometheus and Alertmanager over a stand-in for CloudWatch.

They run with the files of `monitoring/`; only addresses are changed, and with `Pace.QUICK` how often the loops run.
"""

from __future__ import annotations

import re
import shutil
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
import yaml

from local import child
from local.aws import CREDENTIALS
from local.ports import LOOPBACK, free_port
from local.results import ROOT, STATE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

SHIPPED: Final = ROOT / "monitoring"
YACE: Final = STATE / "bin" / "yace"
ALERTMANAGER: Final = STATE / "bin" / "alertmanager"
UNPACKED: Final = STATE / "debian" / "usr" / "bin"  # where install.sh puts what is not on PATH
_START_SECONDS: Final = 20.0
_OF_THE_CLOCK: Final = re.compile(r"\s+and on \(\) \((?:hour|day_of_week)\(\)[^()]*\)")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often the exporter, Prometheus and the rules run, in seconds; None leaves what the files say."""

    exporter: int
    prometheus: int | None


REAL: Final = Pace(exporter=60, prometheus=None)
QUICK: Final = Pace(exporter=2, prometheus=1)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the chain answers on loopback."""

    yace: int
    prometheus: int
    alertmanager: int

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody has now."""
        return cls(yace=free_port(), prometheus=free_port(), alertmanager=free_port())


def program(*names: str) -> str | None:
    """Where the first of these programs is that there is, on PATH or unpacked by `monitoring/install.sh`."""
    places = (shutil.which(name, path=where) for name in names for where in (None, str(UNPACKED)))
    return next((place for place in places if place is not None), None)


def missing() -> str | None:
    """What has to be installed before a chain can run, for people; None where all is there."""
    programs = {"prometheus": program("prometheus"), "alertmanager": _alertmanager(), "yace": YACE.exists()}
    absent = [name for name, there in programs.items() if not there]
    return f"{', '.join(absent)} not installed: run monitoring/install.sh" if absent else None


class Chain:
    """A running chain. Lives as long as its `with` block, or the process that started it."""

    def __init__(
        self,
        folder: Path,
        *,
        cloudwatch: str,
        pace: Pace,
        ports: Ports | None = None,
        account_exporter: str | None = None,
        any_hour: bool = False,
    ) -> None:
        """`cloudwatch` is the stand-in's URL; `folder` takes configurations, logs and what Prometheus stores.

        With `any_hour` no rule looks at the clock on the wall: a test runs when it runs.
        """
        self.ports = ports or Ports.free()
        self.processes: dict[str, int] = {}
        self._folder = folder
        self._cloudwatch = cloudwatch
        self._pace = pace
        self._account_exporter = account_exporter
        self._any_hour = any_hour
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._exit = ExitStack()
        self._http = httpx.Client(trust_env=False, timeout=10)
        self.prometheus = f"http://{LOOPBACK}:{self.ports.prometheus}"
        self.alertmanager = f"http://{LOOPBACK}:{self.ports.alertmanager}"
        self.exporter = f"http://{LOOPBACK}:{self.ports.yace}"

    def __enter__(self) -> Self:
        self._exit.callback(self._http.close)
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What Prometheus answers now: (labels, value) of each series.

        Raises:
            httpx.HTTPStatusError: the expression is wrong.
        """
        told = self._http.get(f"{self.prometheus}/api/v1/query", params={"query": expression}).raise_for_status().json()
        return [(row["metric"], float(row["value"][1])) for row in told["data"]["result"]]

    def query_range(
        self, expression: str, *, seconds: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """What Prometheus answers for the time up to now: (labels, [(seconds since 1970, value)]) of each series.

        Raises:
            httpx.HTTPStatusError: the expression is wrong.
        """
        now = time.time()
        asked: dict[str, str | float] = {"query": expression, "start": now - seconds, "end": now, "step": step}
        told = self._http.get(f"{self.prometheus}/api/v1/query_range", params=asked).raise_for_status().json()
        return [
            (row["metric"], [(float(at), float(value)) for at, value in row["values"]])
            for row in told["data"]["result"]
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager holds now."""
        told = self._http.get(f"{self.alertmanager}/api/v2/alerts").raise_for_status().json()
        return list(told)

    def firing(self) -> set[str]:
        """Names of the alerts that reached Alertmanager."""
        return {alert["labels"]["alertname"] for alert in self.alerts() if alert["status"]["state"] != "unprocessed"}

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its state and health, as Prometheus tells them."""
        told = self._http.get(f"{self.prometheus}/api/v1/rules").raise_for_status().json()
        return [rule for group in told["data"]["groups"] for rule in group["rules"]]

    def end(self, name: str) -> None:
        """End one of `processes` before its time."""
        child.stop(self._running[name], signals=[signal.SIGTERM], patience=5.0)

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        starts = {
            "yace": (self._yace(), self.exporter),
            "alertmanager": (self._alertmanager_command(), f"{self.alertmanager}/-/ready"),
            "prometheus": (self._prometheus_command(), f"{self.prometheus}/-/ready"),
        }
        running = {name: self._spawn(name, command) for name, (command, _) in starts.items()}
        for name, (_, url) in starts.items():
            child.wait_until(
                lambda url=url: self._is_ready(url),  # type: ignore[misc] # bound now, not when it is called
                child=running[name],
                what=name,
                log=self._folder / f"{name}.log",
                patience=_START_SECONDS,
            )

    def _spawn(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        environment = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self._cloudwatch,
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
        }
        process = child.spawn(command, log=self._folder / f"{name}.log", env=environment)
        self._exit.callback(child.stop, process, signals=[signal.SIGTERM], patience=5.0)
        self.processes[name] = process.pid
        self._running[name] = process
        return process

    def _is_ready(self, url: str) -> bool:
        try:
            return self._http.get(url).is_success
        except httpx.TransportError:
            return False

    def _yace(self) -> list[str | Path]:
        return [
            YACE,
            f"--config.file={SHIPPED / 'yace.yml'}",
            f"--scraping-interval={self._pace.exporter}",
            f"--listen-address={LOOPBACK}:{self.ports.yace}",
        ]

    def _alertmanager_command(self) -> list[str | Path]:
        return [
            _alertmanager() or "alertmanager",
            f"--config.file={SHIPPED / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address={LOOPBACK}:{self.ports.alertmanager}",
            "--cluster.listen-address=",
        ]

    def _prometheus_command(self) -> list[str | Path]:
        config = self._write("prometheus.yml", self._with_addresses(_load(SHIPPED / "prometheus" / "prometheus.yml")))
        for rules in ("recording.yml", "alerts.yml"):
            self._write(rules, self._with_pace(_load(SHIPPED / "prometheus" / rules)))
        return [
            program("prometheus") or "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            f"--web.listen-address={LOOPBACK}:{self.ports.prometheus}",
            "--log.level=warn",
            # an alert that was sent before Alertmanager was found is sent again
            f"--rules.alert.resend-delay={self._pace.prometheus or 60}s",
        ]

    def _with_addresses(self, config: dict[str, Any]) -> dict[str, Any]:
        targets = {
            "mono-pipeline-cloudwatch": f"{LOOPBACK}:{self.ports.yace}",
            "mono-pipeline-accounts": self._account_exporter,
        }
        for job in config["scrape_configs"]:
            target = targets[job["job_name"]]
            job["static_configs"] = [{"targets": [target] if target else []}]
        config["alerting"]["alertmanagers"] = [
            {"static_configs": [{"targets": [f"{LOOPBACK}:{self.ports.alertmanager}"]}]}
        ]
        if self._pace.prometheus is not None:
            every = f"{self._pace.prometheus}s"
            config["global"] |= {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
            for job in config["scrape_configs"]:
                job.pop("scrape_timeout", None)
        return config

    def _with_pace(self, rules: dict[str, Any]) -> dict[str, Any]:
        for group in rules["groups"]:
            if self._pace.prometheus is not None:
                group["interval"] = f"{self._pace.prometheus}s"
            for rule in group["rules"] if self._any_hour else ():
                rule["expr"] = _OF_THE_CLOCK.sub("", rule["expr"])
        return rules

    def _write(self, name: str, document: Mapping[str, Any]) -> Path:
        path = self._folder / name
        path.write_text(yaml.safe_dump(dict(document), sort_keys=False))
        return path


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def _alertmanager() -> str | None:
    """The installed one, which Debian calls prometheus-alertmanager, or the built one. Debian's needs /usr."""
    installed = (shutil.which(name) for name in ("prometheus-alertmanager", "alertmanager"))
    return next((place for place in installed if place is not None), None) or shutil.which(ALERTMANAGER)
