"""A release on the built artifacts: from nobody to everybody, canaries that break, everybody out under load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from local.build import ROOT
from local.results import ResultRow, write_results
from local.sandbox.client import SandboxClient
from local.sandbox.effects import Body, Hang
from local.sandbox.faults import Fault
from local.stack import EmbeddedStack
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.flag import bucket
from tests.e2e.daily_queue import DailyQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

type Monoctl = Callable[..., subprocess.CompletedProcess[str]]

_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
WAIVED: Final = ("--without-alerts", "no Prometheus beside this stack")
TERMS: Final = ("--reason", "launch", "--every", "0.04", "--look", "1", "--alerting-lag", "4", *WAIVED)
PROMISED_SECONDS: Final = 15.0
RUNNING: Final = 8
WAITING: Final = 250  # accounts, each of which four messages ask for
HELD: Final = 4


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A stack of its own, since a release is about every account that there is."""
    with EmbeddedStack(
        tmp_path_factory.mktemp("release"),
        postgres=_QUICK,
        visibility_seconds=2,
        concurrency=RUNNING,
        variables={"MONO_RATE_LIMIT_PER_MINUTE": "60000", "LEASE_SECONDS": "6"},
        sandbox={"accounts": "0"},
    ) as running:
        yield running


@pytest.fixture
def sandbox(stack: EmbeddedStack) -> Iterator[SandboxClient]:
    """The bank behind Mono."""
    client = SandboxClient(stack.record["sandbox"])
    yield client
    client.clear_faults()
    client.close()


@pytest.fixture
def database(stack: EmbeddedStack) -> Iterator[Database]:
    """A look into the stack's database."""
    opened = database_of(stack)
    yield opened
    opened.close()


@pytest.fixture
def monoctl(stack: EmbeddedStack, tmp_path: Path) -> Monoctl:
    """The command line in a folder beside the stack."""
    return commands(stack, tmp_path)


def database_of(stack: EmbeddedStack) -> Database:
    """A connection as the owner."""
    url = httpx.URL(stack.record["database_url"])
    return Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))


def commands(stack: EmbeddedStack, tmp_path: Path) -> Monoctl:
    """The command line in this folder."""
    (tmp_path / ".local").symlink_to(stack.settings.state_dir)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")]),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "HOME": str(tmp_path),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "monoctl", *arguments]
        return subprocess.run(  # noqa: S603 - our own program
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240
        )

    return run


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The documents of a command, one a line."""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def judged(monoctl: Monoctl, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command whose window is judged; one that is held for too few runs, as on a busy machine, is asked again."""
    ran = monoctl("--json", *arguments, *TERMS)
    for _ in range(8):
        if ran.returncode != HELD:
            break
        ran = monoctl("--json", *arguments, *TERMS)
    return ran


def until(holds: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Ask until the answer is true; fail when it never is."""
    give_up = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.2)
    return answer


def begun(database: Database) -> set[str]:
    """The accounts of which a run has begun."""
    rows = database.rows(
        """SELECT DISTINCT a.mono_account_id AS id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
           WHERE r.started_at IS NOT NULL"""
    )
    return {row["id"] for row in rows}


def salt_for(accounts: list[str]) -> str:
    """A salt by which some accounts come on at 50 %, the others at 100 %, and none before."""
    for number in range(100_000):
        dealt = [bucket(f"s{number}", account) for account in accounts]
        if min(dealt) >= 2_500 and min(dealt) < 5_000 <= max(dealt):
            return f"s{number}"
    raise AssertionError("no such salt")


def test_from_nobody_to_everybody_and_a_canary_whose_bank_fails(
    monoctl: Monoctl, sandbox: SandboxClient, database: Database
) -> None:
    """0 -> canary -> 100 %, each account from the step that deals it in; then one that breaks is taken out alone."""
    accounts = [str(sandbox.create_account(transactions=40)["id"]) for _ in range(4)]
    imported = monoctl("accounts", "import", *accounts)
    assert imported.returncode == 0, imported.stderr
    salt = salt_for(accounts)
    first = max(accounts, key=lambda account: bucket(salt, account))
    rule = json.dumps({"enabled": True, "percentage": 0, "salt": salt})
    assert monoctl("flag", "set", rule, "--reason", "a rollout of its own").returncode == 0

    canary = judged(monoctl, "canary", "start", "--account", first, "--minutes", "0.3")
    after_canary = begun(database)
    compared = monoctl("--json", "promote", "--shadow")
    after_shadow = begun(database)
    promoted = judged(monoctl, "promote", "--minutes", "0.4")
    watched = monoctl("--json", "watch", "--minutes", "0.1", "--look", "1", "--alerting-lag", "4", *WAIVED)
    release = json.loads(monoctl("--json", "release", "show").stdout)

    assert canary.returncode == 0, canary.stdout[-2000:] + canary.stderr
    assert lines(canary)[-1]["propagation_seconds"] <= PROMISED_SECONDS
    assert after_canary == after_shadow == {first}
    coming = json.loads(compared.stdout)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert {each["account_id"] for each in coming["accounts"]} == {
        each for each in accounts if bucket(salt, each) < 5_000
    }
    assert {each["counts"]["inserted"] for each in coming["accounts"]} == {40}
    assert promoted.returncode == 0, promoted.stdout[-2000:] + promoted.stderr
    assert begun(database) == set(accounts)
    steps = {
        each["detail"]["percentage"]: each["detail"]["accounts"]
        for each in release["events"]
        if each["kind"] == "promotion.step"
    }
    early = sum(bucket(salt, account) < 5_000 for account in accounts)
    assert steps == {100: 0, 500: 0, 2_500: 0, 5_000: early, 10_000: 4 - 1 - early}
    assert release["release"]["status"] == "promoted"
    assert lines(watched)[0]["stage"] == "watch"

    assert monoctl("flag", "set", rule, "--reason", "back to nobody").returncode == 0
    assert monoctl("flag", "set", "--allow", first, "--reason", "who is on").returncode == 0
    broken = next(account for account in accounts if account != first)
    garbage = Fault(effect=Body(text="no JSON"), account=broken, path="*/transactions", times=None)
    sandbox.inject(garbage)
    failed = judged(monoctl, "canary", "start", "--account", broken, "--minutes", "0.5")
    shown = json.loads(monoctl("--json", "flag", "show").stdout)

    assert failed.returncode == 7, failed.stdout[-2000:] + failed.stderr
    assert (lines(failed)[-1]["decision"], lines(failed)[-1]["reason"]) == ("roll_back", "error_ratio")
    assert shown["rule"]["allow"] == [first]
    failures = database.rows(
        """SELECT DISTINCT a.mono_account_id AS id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
           WHERE r.status = 'failed'"""
    )
    assert failures == [{"id": broken}]


@dataclass(frozen=True)
class Fleet:
    """Accounts whose histories were read: one to break for each reason, one that is on, one that is off."""

    broken: dict[str, str]
    rest: str
    off: str

    @property
    def rule(self) -> str:
        """The flag, on for `rest` alone."""
        return json.dumps({"enabled": True, "percentage": 0, "allow": [self.rest]})


@pytest.fixture(scope="module")
def fleet(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Made once: each of its accounts has been read whole."""
    run, bank = commands(stack, tmp_path_factory.mktemp("fleet")), SandboxClient(stack.record["sandbox"])
    accounts = [str(bank.create_account(transactions=30, days=20)["id"]) for _ in range(len(BROKEN) + 2)]
    bank.close()
    database = database_of(stack)
    assert run("accounts", "import", *accounts).returncode == 0
    everyone = json.dumps({"enabled": True, "percentage": 0, "allow": accounts})
    assert run("flag", "set", everyone, "--reason", "histories", "--wait").returncode == 0
    with httpx.Client(base_url=stack.record["http"], timeout=60, trust_env=False) as http:
        _read_whole(http, database, accounts)
    database.close()
    rest, off, *broken = accounts
    return Fleet(broken=dict(zip(BROKEN, broken, strict=True)), rest=rest, off=off)


def slow(sandbox: SandboxClient, _: Database, account: str) -> None:
    """The bank answers in more than the SLA."""
    sandbox.inject(Fault(effect=Hang(seconds=2.3), account=account, path="*/transactions", times=None))


def wrong(sandbox: SandboxClient, database: Database, account: str) -> None:
    """What lands is not what was read: code that is wrong by a kobo."""
    internal = database.rows("SELECT id FROM bank_accounts WHERE mono_account_id = :id", id=account)[0]["id"]
    database.rows(
        """CREATE OR REPLACE FUNCTION wrong_by_a_kobo() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN NEW.amount_minor := NEW.amount_minor + 1; RETURN NEW; END'"""
    )
    database.rows(
        f"""CREATE OR REPLACE TRIGGER wrong_by_a_kobo BEFORE INSERT ON bank_transactions FOR EACH ROW
            WHEN (NEW.account_id = {internal}) EXECUTE FUNCTION wrong_by_a_kobo()"""
    )
    sandbox.add(account, count=3)


def doubled(sandbox: SandboxClient, _: Database, account: str) -> None:
    """The bank's rows come under new ids."""
    sandbox.remint(account)


BROKEN: Final[dict[str, tuple[Callable[[SandboxClient, Database, str], None], int]]] = {
    "latency": (slow, 7),
    "mismatch": (wrong, 5),
    "duplicate_suspicion": (doubled, 5),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_canary_that_breaks_is_taken_out_and_the_rest_never_saw_it(
    monoctl: Monoctl, sandbox: SandboxClient, database: Database, fleet: Fleet, reason: str
) -> None:
    """By its reason, while the others' runs and rows are what they would have been without it."""
    break_it, code = BROKEN[reason]
    broken = fleet.broken[reason]
    told = json.loads(monoctl("--json", "flag", "set", fleet.rule, "--reason", "the rest", "--wait").stdout)
    before = _runs(database)
    break_it(sandbox, database, broken)

    ended = judged(monoctl, "canary", "start", "--account", broken, "--minutes", "0.5")
    rest = monoctl("--json", "sync", fleet.rest)
    shown = json.loads(monoctl("--json", "flag", "show").stdout)
    release = json.loads(monoctl("--json", "release", "show").stdout)

    assert 0 < told["propagation"]["seconds"] <= PROMISED_SECONDS
    assert ended.returncode == code, ended.stdout[-2000:] + ended.stderr
    assert (lines(ended)[-1]["decision"], lines(ended)[-1]["reason"]) == ("roll_back", reason)
    assert shown["rule"] == told["after"]["rule"]
    assert release["release"]["status"] == "rolled_back"
    after = _runs(database)
    assert {each for each in after if after[each] != before.get(each)} == {broken, fleet.rest}
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert after[fleet.rest] == [*before[fleet.rest], ("completed", "verified")]
    for each in (fleet.rest, fleet.off):
        assert _stored(database, each) == {(row["id"], row["amount"]) for row in sandbox.truth(each)["bank"]}


def test_everybody_out_under_load_and_in_again(
    monoctl: Monoctl,
    stack: EmbeddedStack,
    sandbox: SandboxClient,
    database: Database,
) -> None:
    """Eight at work, a thousand syncs queued: none begins after 15 s, those at work stop at a flush, none is lost."""
    long_ones = [str(sandbox.create_account(transactions=6_000, days=4)["id"]) for _ in range(RUNNING)]
    short_ones = [str(sandbox.create_account(transactions=2)["id"]) for _ in range(WAITING)]
    accounts, queue = [*long_ones, *short_ones], DailyQueue(stack)
    assert monoctl("accounts", "import").returncode == 0
    assert monoctl("flag", "set", "true", "--reason", "everybody").returncode == 0
    with httpx.Client(base_url=stack.record["http"], timeout=60, trust_env=False) as http:
        _read_whole(http, database, accounts)
        for account in accounts:
            sandbox.add(account, count=1)
        for account in long_ones:
            sandbox.inject(Fault(effect=Hang(seconds=3), account=account, path="*/transactions", times=None))
        since = database.rows("SELECT pipeline_now() AS now")[0]["now"]
        queue.ask_for(long_ones)
        until(lambda: _working(database) >= RUNNING, seconds=120)
        queue.ask_for([account for account in short_ones for _ in range(4)])

        ended = monoctl("--json", "rollback", "--reason", "totals look wrong", "--keep-dead-letters")
        told = lines(ended)[-1]
        started = database.rows("SELECT count(*) AS runs FROM sync_runs WHERE started_at IS NOT NULL")
        queue.wait_until_empty()

        proof = told["proof"]
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert (proof["holds"], proof["working"]) == (True, 0)
        assert proof["last_started_seconds"] is None or proof["last_started_seconds"] <= PROMISED_SECONDS
        flush = 10 / 4 * 3.0  # pages of a flush, four in flight, three seconds each
        assert proof["stopped_seconds"] <= PROMISED_SECONDS + flush + 2.0  # and how often it is looked
        assert database.rows("SELECT count(*) AS runs FROM sync_runs WHERE started_at IS NOT NULL") == started
        stopped = (
            "SELECT count(*) AS runs FROM sync_runs WHERE status = 'stopped' AND finished_at > :since::timestamptz"
        )
        assert database.rows(stopped, since=since)[0]["runs"] == RUNNING
        _write_down(proof)

        sandbox.clear_faults()
        version = str(told["flag"]["before"]["version"])
        assert monoctl("flag", "restore", version, "--reason", "it was not us").returncode == 0
        _read_whole(http, database, accounts)
    for account in [*long_ones, *short_ones[::10]]:
        bank = {(row["id"], row["amount"]) for row in sandbox.truth(account)["bank"]}
        assert _stored(database, account) == bank


def _runs(database: Database) -> dict[str, list[tuple[str, str | None]]]:
    """How the runs of each account ended, in their order; of an account that has none, an empty list."""
    rows = database.rows(
        """SELECT a.mono_account_id AS id, r.status, r.verdict FROM bank_accounts a
           LEFT JOIN sync_runs r ON r.account_id = a.id AND r.started_at IS NOT NULL ORDER BY r.started_at"""
    )
    found: dict[str, list[tuple[str, str | None]]] = {}
    for row in rows:
        ended = found.setdefault(row["id"], [])
        if row["status"] is not None:
            ended.append((row["status"], row["verdict"]))
    return found


def _write_down(proof: dict[str, Any]) -> None:
    """The seconds of a rollback under load, in `.local/everybody-out.json`."""
    told = {"began": "the last run began (none: null)", "stopped": "all that were at work had stopped"}
    values = {"began": proof["last_started_seconds"], "stopped": proof["stopped_seconds"]}
    write_results(
        "everybody-out",
        [ResultRow(id=key, what=f"after the edit: {what}", value=values[key], unit="s") for key, what in told.items()],
    )


def _working(database: Database) -> int:
    return int(database.rows("SELECT count(*) AS n FROM bank_accounts WHERE lease_until > pipeline_now()")[0]["n"])


def _read_whole(http: httpx.Client, database: Database, accounts: list[str]) -> None:
    """Tick, all of them being due, until each was read to its end since now."""
    since = database.rows("SELECT pipeline_now() AS now")[0]["now"]
    left = """(last_success_at IS NULL OR last_success_at < :since::timestamptz)
              AND mono_account_id = ANY (:accounts::text[])"""

    def all_read() -> bool:
        database.rows(
            f"UPDATE bank_accounts SET next_attempt_at = pipeline_now() WHERE {left}",  # noqa: S608 - ours
            since=since,
            accounts=accounts,
        )
        http.post("/_stack/tick")
        count = f"SELECT count(*) AS n FROM bank_accounts WHERE {left}"  # noqa: S608 - ours
        return not database.rows(count, since=since, accounts=accounts)[0]["n"]

    until(all_read, seconds=240)


def _stored(database: Database, account: str) -> set[tuple[str, int]]:
    rows = database.rows(
        """SELECT t.mono_transaction_id, t.amount_minor FROM bank_transactions t
           JOIN bank_accounts a ON a.id = t.account_id WHERE a.mono_account_id = :id AND disappeared_at IS NULL""",
        id=account,
    )
    return {(row["mono_transaction_id"], row["amount_minor"]) for row in rows}
