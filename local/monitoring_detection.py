"""The other part of `REALTIME=1 make monitoring-test`: how long alerts take that no scene at the bank brings about.

Four chains at their shipped pace, side by side, each over a CloudWatch of its own. The hours before were well: what
Prometheus would have kept of them is put into its storage. Then faults begin, and their alerts are waited for.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import httpx

from local.cloudwatch.emf import observations
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.migrate import MIGRATIONS
from local.monitoring import REAL, Chain, program
from local.monitoring_contract import ERRORS, STAGE_SECONDS, TICKS, VERDICTS, ZERO, queue_depth
from local.monitoring_up import start_account_exporter
from local.ports import LOOPBACK
from local.postgres import PostgresServer
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from local.monitoring_judge import Proof

# Seconds from a fault within which its alert must be with Alertmanager, where the fault is as grave as the ones here.
LONGEST: Final[Mapping[str, int]] = {
    "MonoPipelineErrorRatioHigh": 780,
    "MonoSLOFastBurn": 1_230,
    "MonoSLOSlowBurn": 2_130,
    "MonoPipelineZeroTransactionsBusinessHours": 420,
    "MonoVerificationMismatch": 150,
    "MonoAccountStale": 1_080,
    "MonoReauthRequired": 1_080,
    "MonoDeadLetters": 420,
    "MonoPipelineNoData": 2_520,
    "MonoExporterDown": 450,
    "MonoExporterErrors": 300,
    "MonoExporterLag": 1_440,
    "MonoExporterCost": 2_100,
    "MonoWatchdog": 150,
}
BY_CLOUDWATCH: Final = "realtime-by-cloudwatch-{}"  # a mismatch, where the database is not asked
_LONGEST_BY_CLOUDWATCH: Final = 420
_EVERY_SECONDS: Final = 30
_LOOK_SECONDS: Final = 5
_SILENT_SECONDS: Final = 900  # that much of the silence lies in the past that is filled in, and is not waited for
_REFUSED, _ENDED = 300, 600  # seconds from the beginning: CloudWatch refuses the exporter; it ends
_COSTLY: Final = 1_100  # accounts with metrics of their own: ten times what the alert lets pass
_NO_SYNC: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_MISMATCH, _REAUTH, _STALE = (f"64779d900000000000de000{number}" for number in (1, 2, 3))
_FLEET: Final = {"scope": "fleet", "service": "mono-pipeline"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, and the alerts that are due from then on (or from `since`, by the monotonic clock)."""

    alerts: tuple[str, ...]
    after: float = 0.0
    do: Callable[[], object] = lambda: None
    since: float | None = None
    row: str = "realtime-{}"


@dataclass(kw_only=True)
class Place:
    """A chain, what is told to its CloudWatch twice a minute, and what goes wrong there, in order."""

    chain: Chain
    points: Points
    faults: list[Fault]
    tells: Callable[[int], Iterable[str]] = lambda _: ()
    took: dict[str, float | None] = field(default_factory=dict)  # by row; None for one that was there before its fault
    _due: dict[str, tuple[str, float]] = field(default_factory=dict)
    _told: float = -_EVERY_SECONDS

    @property
    def waits(self) -> bool:
        """Whether anything is still to come."""
        return bool(self.faults) or bool(self._due)

    def look(self, elapsed: float) -> None:
        """Let begin what is due, tell what is to be told, and see which alerts are there."""
        firing = self.chain.firing()
        while self.faults and self.faults[0].after <= elapsed:
            self._begin(self.faults.pop(0), firing)
        if elapsed - self._told >= _EVERY_SECONDS:
            self._told = elapsed
            self.tell(*self.tells(_now()))
        for alert in firing & self._due.keys():
            row, since = self._due.pop(alert)
            self.took[row] = time.monotonic() - since

    def tell(self, *lines: str) -> None:
        """Log lines of functions, as CloudWatch reads them."""
        self.points.add([one for line in lines for one in observations(line)])

    def _begin(self, fault: Fault, firing: set[str]) -> None:
        fault.do()
        for alert in fault.alerts:
            row = fault.row.format(alert)
            if fault.since is None and alert in firing:
                self.took[row] = None
            else:
                self._due[alert] = (row, fault.since or time.monotonic())


def detections(proof: Proof, folder: Path) -> None:
    """Note of each alert of `LONGEST` how long it took."""
    with ExitStack() as until:
        places = _places(until, folder)
        began = time.monotonic()
        while any(place.waits for place in places) and time.monotonic() < began + max(LONGEST.values()):
            for place in places:
                with suppress(httpx.TransportError):  # a busy machine: it is asked again in a moment
                    place.look(time.monotonic() - began)
            time.sleep(_LOOK_SECONDS)
    took = {row: seconds for place in places for row, seconds in place.took.items()}
    limits = {f"realtime-{name}": limit for name, limit in LONGEST.items()}
    limits[BY_CLOUDWATCH.format("MonoVerificationMismatch")] = _LONGEST_BY_CLOUDWATCH
    for row, limit in limits.items():
        seconds = took.get(row)
        proof.note(
            row,
            "from the fault to Alertmanager",
            None if seconds is None else round(seconds),
            unit="s",
            goal=f"<= {limit}",
            ok=seconds is not None and seconds <= limit,
        )


def _places(until: ExitStack, folder: Path) -> list[Place]:
    database = _database(until, folder)
    url = f"postgresql://postgres@{LOOPBACK}:{database.port}/{database.database}"
    port, _ = start_account_exporter(until, folder=folder, database_url=url)
    of_place = partial(_chain, until, folder, accounts=f"{LOOPBACK}:{port}")
    return [
        _runs_fail(partial(_chain, until, folder, accounts=None)),
        _data_are_wrong(of_place, _owner(until, database)),
        _exporter_fails(of_place),
        _accounts_cost(of_place),
    ]


def _runs_fail(chain: Callable[..., tuple[Chain, Points, CloudWatchServer]]) -> Place:
    """A fetch a minute, well for six hours; then two a minute that fail, and one run that ends in a mismatch."""
    fetched = {**_FLEET, "stage": "sync", "outcome": "ok"}
    latency = STAGE_SECONDS.full_name
    past = {_series(f"{latency}_count", fetched): 1.0, _series(f"{latency}_bucket", {**fetched, "le": "2"}): 1.0}
    made, points, _ = chain("runs", past=past)

    def tells(at: int) -> list[str]:
        return [
            STAGE_SECONDS.line(at=at, value=0.4, stage="sync", outcome="error"),
            ERRORS.line(at=at, value=1, stage="sync", reason="mono_server_error"),
        ]

    mismatch = VERDICTS.line(at=_now(), value=1, verdict="mismatch", reason="days_differ")
    place = Place(chain=made, points=points, tells=tells, faults=[])
    place.faults = [
        Fault(alerts=("MonoPipelineErrorRatioHigh", "MonoSLOFastBurn", "MonoSLOSlowBurn")),
        Fault(alerts=("MonoVerificationMismatch",), row=BY_CLOUDWATCH, do=lambda: place.tell(mismatch)),
    ]
    return place


def _data_are_wrong(chain: Callable[..., tuple[Chain, Points, CloudWatchServer]], owner: Database) -> Place:
    """An account each that differs, wants its owner and was not read for 26 hours; a dead letter; five empty runs."""
    started = time.monotonic()
    made, points, _ = chain("data", any_hour=True)
    letters = 0
    place = Place(
        chain=made, points=points, faults=[], tells=lambda at: [queue_depth("prod-dead-letters", at=at, value=letters)]
    )

    def go_wrong() -> None:
        nonlocal letters
        letters, at = 1, _now()
        place.tell(*place.tells(at))
        place.tell(*[ZERO.line(at=at, value=1)] * 5)
        place.tell(*[STAGE_SECONDS.line(at=at, value=0.4, stage="sync", outcome="ok")] * 5)
        owner.rows(
            "UPDATE account_counters SET verdict = 'mismatch' WHERE account_id ="
            " (SELECT id FROM bank_accounts WHERE mono_account_id = :account)",
            account=_MISMATCH,
        )
        owner.rows(
            "UPDATE bank_accounts SET link_status = 'reauth_required' WHERE mono_account_id = :account", account=_REAUTH
        )
        owner.rows(
            "UPDATE bank_accounts SET last_success_at = now() - interval '26 hours' WHERE mono_account_id = :account",
            account=_STALE,
        )

    place.faults = [
        Fault(alerts=("MonoWatchdog",), since=started),
        Fault(
            alerts=(
                "MonoVerificationMismatch",
                "MonoReauthRequired",
                "MonoAccountStale",
                "MonoDeadLetters",
                "MonoPipelineZeroTransactionsBusinessHours",
            ),
            do=go_wrong,
            after=90,  # by then Prometheus has seen all of them well
        ),
    ]
    return place


def _exporter_fails(chain: Callable[..., tuple[Chain, Points, CloudWatchServer]]) -> Place:
    """Silent for a quarter of an hour when it is begun with; then CloudWatch refuses the exporter, and then it ends."""
    silent = int(time.time()) // 60 * 60 - _SILENT_SECONDS
    past = {_series(TICKS.full_name, _FLEET): 1.0}
    made, points, cloudwatch = chain("exporter", past=past, past_until=silent)
    return Place(
        chain=made,
        points=points,
        tells=lambda at: [queue_depth("prod-daily", at=at, value=0)],
        faults=[
            Fault(alerts=("MonoPipelineNoData", "MonoExporterLag"), since=time.monotonic() - (time.time() - silent)),
            Fault(alerts=("MonoExporterErrors",), after=_REFUSED, do=cloudwatch.refuse),
            Fault(alerts=("MonoExporterDown",), after=_ENDED, do=lambda: made.end("yace")),
        ],
    )


def _accounts_cost(chain: Callable[..., tuple[Chain, Points, CloudWatchServer]]) -> Place:
    """Hundreds of accounts have metrics of their own from one minute to the next."""
    made, points, _ = chain("cost")
    place = Place(chain=made, points=points, faults=[])

    def grow() -> None:
        for number in range(_COSTLY):
            account = f"64779d9000000000{number:08x}"
            place.tell(
                STAGE_SECONDS.line(at=_now(), value=0.4, account_id=account, stage="sync", outcome="ok"),
                ZERO.line(at=_now(), value=0, account_id=account),
            )

    place.faults = [Fault(alerts=("MonoExporterCost",), do=grow)]
    return place


def _chain(
    until: ExitStack,
    folder: Path,
    name: str,
    *,
    accounts: str | None,
    past: Mapping[str, float] | None = None,
    past_until: int | None = None,
    any_hour: bool = False,
) -> tuple[Chain, Points, CloudWatchServer]:
    points = Points()
    cloudwatch = until.enter_context(CloudWatchServer(points))
    if past is not None:
        fill_in(folder / name, past, until=past_until)
    made = Chain(folder / name, cloudwatch=cloudwatch.url, pace=REAL, account_exporter=accounts, any_hour=any_hour)
    return until.enter_context(made), points, cloudwatch


def fill_in(folder: Path, past: Mapping[str, float], *, hours: int = 6, until: int | None = None) -> None:
    """Give the Prometheus of a chain's folder a past: one value a minute of each series, up to now (or `until`).

    Raises:
        RuntimeError: promtool refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = int(time.time() if until is None else until) // 60 * 60
    instants = range(end - hours * 3_600, end, 60)
    told = folder / "past.txt"
    told.write_text("".join(f"{series} {past[series]} {at}\n" for series in past for at in instants) + "# EOF\n")
    command = [program("promtool") or "promtool", "tsdb", "create-blocks-from", "openmetrics"]
    done = subprocess.run([*command, told, folder / "prometheus"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"promtool: {done.stderr}")


def _database(until: ExitStack, folder: Path) -> DatabaseAddress:
    folder.mkdir(parents=True, exist_ok=True)
    server = until.enter_context(PostgresServer.start(folder / "cluster", settings=_NO_SYNC))
    server.ensure_database("mono_pipeline")
    migrate(server.url("mono_pipeline"), MIGRATIONS)
    return DatabaseAddress(host=LOOPBACK, port=server.port, database="mono_pipeline", user="postgres")


def _owner(until: ExitStack, address: DatabaseAddress) -> Database:
    """A connection of the owner, after three accounts that are well."""
    owner = Database(address)
    until.callback(owner.close)
    for account in (_MISMATCH, _REAUTH, _STALE):
        owner.rows(
            """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, last_success_at)
               VALUES (:account, :account, 'NGN', now())""",
            account=account,
        )
    owner.rows("INSERT INTO account_counters (account_id, verdict) SELECT id, 'verified' FROM bank_accounts")
    return owner


def _series(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def _now() -> int:
    return int(time.time() * 1000)
