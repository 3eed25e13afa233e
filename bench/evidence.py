"""`make evidence`: what is in the tables after the bank changed its books, for dlt in four ways and for us.

Five accounts of 2,000 transactions are loaded; then each has one late, one amended, one removed and one new row. Every
contestant runs three times after that, at the same instants, against the same bank over HTTP and an empty PostgreSQL
of its own. Then Mono has not got one account's data for a while and answers an empty list, and everybody runs once
more. Shown is what the tables hold, the exit code, and what the program itself says of it. Exit code 1 when we are not
right where we say so, or say so where we are not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench import contestants, more_peers
from bench.arena import Arena
from bench.changed_bank import ACCOUNTS, ChangedBank, compare
from bench.evidence_board import Seen, changes_table, outage_table, result_rows
from local.postgres import PostgresServer
from local.results import ROOT, STATE, passed, write_results
from local.sandbox.world import DEFAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.changed_bank import Changed

HERE: Final = Path(__file__).parent
HOME: Final = STATE / "evidence-home"
DATABASE: Final = "evidence"
HOUR: Final = 3600
# Each run's name, and the hours that pass before it: our schedule is due every 12, and reads deep every 7 days.
AFTER_THE_CHANGES: Final = (("1st run", 14), ("2nd run", 14), ("a week on", 7 * 24 + 14))
OURS: Final = "mono-pipeline"


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A program, how it is started, and the statement that reads its rows: `id`, `amount` (minor units), `direction`.

    One that `is_ours` has our schema and follows our clock, and says what it thinks of its own tables.
    """

    name: str
    python: Path
    program: Path
    rows: str
    options: tuple[str, ...] = ()
    first_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False


def other_peers() -> list[Entrant]:
    """Singer and PyAirbyte, which read everything each time and merge by id."""
    return [
        Entrant(
            name=peer.name,
            python=peer.python,
            program=peer.program,
            rows="SELECT id, amount, type AS direction FROM mono.transactions",
            options=("--pipelines-dir", str(HOME / "kept" / peer.name), *peer.options),
            environment=peer.env,
        )
        for peer in (more_peers.singer(), more_peers.pyairbyte())
    ]


def entrants() -> list[Entrant]:
    """Every way that dlt documents for this, and us."""
    dlt = contestants.dlt()
    ways = {
        "incremental": "incremental",
        "lag": "incr., lag 7d",
        "merge": "full, merge",
        "replace": "full, replace",
    }
    peers = [
        Entrant(
            name=f"dlt {name}",
            python=dlt.python,
            program=HERE / "peers" / "dlt" / "changes.py",
            rows="SELECT id, amount, type AS direction FROM mono.transactions",
            options=("--pipelines-dir", str(HOME / "kept" / way), "--mode", way),
            environment=dlt.env,
        )
        for way, name in ways.items()
    ]
    ours = Entrant(
        name=OURS,
        python=Path(sys.executable),
        program=HERE / "by_schedule.py",
        rows="""SELECT mono_transaction_id AS id, amount_minor AS amount, direction
                FROM bank_transactions WHERE disappeared_at IS NULL""",
        first_options=("--import-accounts",),
        environment={
            **contestants.ours(1, python=Path(sys.executable)).env,
            "PYTHONPATH": f"{ROOT}:{ROOT}/layers/common",
        },
        is_ours=True,
    )
    return [*peers, ours]


class Turn:
    """One entrant's turn, from an empty database on."""

    def __init__(self, entrant: Entrant, arena: Arena, url: str, bank: ChangedBank, mono_url: str) -> None:
        self._entrant = entrant
        self._arena = arena
        self._bank = bank
        self._told = ["--base-url", mono_url, "--database-url", url, "--secret-key", DEFAULT_KEY]
        self._hours = 0

    def first_load(self) -> None:
        """Load the bank as it is; whoever cannot even do that has no turn."""
        code, _ = self._run(*self._entrant.first_options)
        if code or self._stored() != self._bank.truth():
            raise RuntimeError(f"{self._entrant.name}: the first load ended with {code} and is not the bank")

    def run(self, name: str, changed: Changed, *, hours: int) -> Seen:
        """Let time pass, run once more, and look."""
        self._let_pass(hours)
        code, says = self._run()
        return Seen(
            name=self._entrant.name,
            run=name,
            comparison=compare(self._stored(), self._bank.truth(), changed),
            exit_code=code,
            says=says,
            is_ours=self._entrant.is_ours,
        )

    def _let_pass(self, hours: int) -> None:
        self._hours += hours
        self._bank.let_pass(hours)
        if self._entrant.is_ours:
            self._arena.rows(
                DATABASE,
                f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE
                    AS $$ SELECT clock_timestamp() + interval '{self._hours} hours' $$""",
            )

    def _run(self, *more: str) -> tuple[int, str]:
        """Exit code, and what the program says of what it did."""
        entrant = self._entrant
        ended = subprocess.run(
            [entrant.python, entrant.program, *self._told, *entrant.options, *more],
            env={**entrant.environment},
            cwd=HOME,
            capture_output=True,
            text=True,
            check=False,
        )
        (HOME / "last.log").write_text(ended.stdout + ended.stderr)
        return ended.returncode, _said(ended.stdout) if entrant.is_ours else "nothing"

    def _stored(self) -> dict[str, tuple[int, str]]:
        rows = self._arena.rows(DATABASE, self._entrant.rows)
        return {str(row["id"]): (int(row["amount"]), str(row["direction"])) for row in rows}


def _said(output: str) -> str:
    """The verdicts of the last line, with how many accounts where they differ."""
    lines = output.strip().splitlines()
    said: dict[str, int] = json.loads(lines[-1])["said"] if lines else {}
    return "; ".join(text if count == ACCOUNTS else f"{count}x {text}" for text, count in sorted(said.items()))


def main(arguments: Sequence[str] = ()) -> int:
    """Run everybody, print both tables, write `.local/evidence.json`."""
    parser = argparse.ArgumentParser(prog="make evidence", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all-peers", action="store_true", help="Singer and PyAirbyte too")
    asked = parser.parse_args(arguments)
    takes_part = [*(other_peers() if asked.all_peers else []), *entrants()]
    console = Console(width=80, highlight=False)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    now = datetime.now(UTC).replace(microsecond=0)
    changes: list[Seen] = []
    outages: list[Seen] = []
    with PostgresServer.start(HOME / "postgres") as server:
        arena = Arena(server)
        for entrant in takes_part:
            with _turn(entrant, arena, now) as (turn, bank):
                turn.first_load()
                changed = bank.change()
                runs = [turn.run(name, changed, hours=hours) for name, hours in AFTER_THE_CHANGES]
                # what dlt has after the first it has after the third: one line says it
                changes += runs if entrant.is_ours else runs[-1:]
                bank.lose_an_account()
                outages.append(turn.run("empty list", changed, hours=14))
            console.print(f"{entrant.name} done")
    console.print(changes_table(changes))
    console.print(outage_table(outages))
    rows = result_rows(changes, outages)
    console.print(f"written to {write_results('evidence', rows).relative_to(ROOT)}")
    return 0 if passed(rows) else 1


@contextmanager
def _turn(entrant: Entrant, arena: Arena, now: datetime) -> Iterator[tuple[Turn, ChangedBank]]:
    with (
        ChangedBank.server(now) as mono,
        arena.database(DATABASE, schema=entrant.is_ours) as url,
    ):
        bank = ChangedBank(mono)
        yield Turn(entrant, arena, url, bank, mono.url), bank


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
