#!/usr/bin/env python3
"""End to end against a stack: import an account, sync it twice, hold the rows against Mono.

Writes one JSON event a line to standard output, `smoke.totals` at the end, and no secret in any of them. Everything it
does is what the platform does: it may be run again and again.

Environment variables:
  MONO_SMOKE_ACCOUNT   Mono's id of the account (24 hex digits); required
  MONO_SMOKE_ENV       local, dev or staging (default: staging). local: the embedded stack of this folder (`make up`);
                       otherwise AWS credentials and Region as for the AWS command line (AWS_PROFILE, AWS_REGION)
  MONO_SECRET_KEY      with it Mono is asked directly, past the stack, how many rows there are; without it only the
                       stack asks. The stack itself uses its own key, from SSM
  MONO_BASE_URL        where Mono is for that question (default: https://api.withmono.com)
  MONO_SMOKE_SECONDS   how long to wait for one sync (default: 900)
  MONO_SMOKE_RELEASE   id of a release in which the outcome is recorded (`smoke.tested`)

Exit codes, those of monoctl:
  0 as promised: the second run inserted nothing, and what is stored is what Mono has
  1 a defect of ours, also when the second run inserted rows although Mono had no new ones
  2 usage: a variable is missing or wrong, or credentials are      3 the flag is off for this account
  4 incomplete or unverifiable                                     5 what is stored is not what Mono has
  6 the account is blocked                                         7 Mono, or something of ours, is down
  8 cannot tell
A bank without running balances, or with backward ones as in Mono's sandbox, is no failure: its rows are compared.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PYTHON = _HERE / ".venv" / "bin" / "python"
if __name__ == "__main__" and _PYTHON.exists() and Path(sys.prefix).resolve() != _PYTHON.parents[1].resolve():
    os.execv(_PYTHON, [str(_PYTHON), *sys.argv])  # noqa: S606 - the checkout's own Python, which has what is imported here
sys.path[:0] = [str(_HERE), str(_HERE / "layers" / "common")]

import argparse  # noqa: E402 - only now is it the right Python
import json  # noqa: E402
import time  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from typing import TYPE_CHECKING, Any, Final  # noqa: E402

from mono_pipeline.adapters.mono_client import MonoClient  # noqa: E402
from mono_pipeline.adapters.settings import DEFAULT_MONO_BASE_URL  # noqa: E402
from mono_pipeline.core.deadline import Deadline  # noqa: E402
from mono_pipeline.core.errors import InvalidInput  # noqa: E402
from mono_pipeline.core.identity import parse_account_id  # noqa: E402
from mono_pipeline.core.release import ReleaseEventKind  # noqa: E402
from mono_pipeline.core.secret import Secret  # noqa: E402
from mono_pipeline.core.verdict import VerdictReason  # noqa: E402
from monoctl.environment import EnvironmentName  # noqa: E402
from monoctl.exit_code import ExitCode, of_answer, of_verdict  # noqa: E402
from monoctl.failure import EXPLAINED, explain  # noqa: E402
from monoctl.session import connect  # noqa: E402
from monoctl.sync_wait import SyncWait, SyncWanted  # noqa: E402
from monoctl.verify_walk import verified  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monoctl.reach import Reach, SyncAnswer

_RUNS: Final = 3  # a bank may book between two of them; it does not do so three times in a row
_NO_BALANCES: Final = frozenset({VerdictReason.BALANCE_MISSING, VerdictReason.BALANCE_BACKWARDS})
_SECRETS: Final = ("MONO_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_DIRECT_SECONDS: Final = 30.0


class Stopped(Exception):
    """The smoke test ends here, with this exit code."""

    def __init__(self, code: ExitCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class SmokeTest:
    """One run of it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises InvalidInput for a variable that is missing or wrong."""
        self._environ = environ
        self._hidden = [environ[name] for name in _SECRETS if environ.get(name)]
        self.account = parse_account_id(environ.get("MONO_SMOKE_ACCOUNT", ""))
        self.environment = _environment(environ.get("MONO_SMOKE_ENV", "staging"))
        self._patience = _seconds(environ.get("MONO_SMOKE_SECONDS", "900"))
        self.totals: dict[str, Any] = {"account_id": self.account, "environment": self.environment}

    def run(self) -> None:
        """Do it all. Raises Stopped, and what the roads raise."""
        reach = connect(self.environment)
        self.say("smoke.started", account_id=self.account, environment=self.environment)
        self._import(reach)
        first, runs = self._sync(reach, 1), 1
        self.totals["first_run"] = first
        while True:
            runs += 1
            again = self._sync(reach, runs)
            self.totals["last_run"] = again
            if not again["inserted"]:
                break
            if again["mono_total"] == first["mono_total"]:
                why = f"run {runs} inserted {again['inserted']} rows although Mono has as many as before"
                raise Stopped(ExitCode.DEFECT, why)
            if runs == _RUNS:
                raise Stopped(ExitCode.CANNOT_TELL, "the bank books faster than this looks")
            first = again
        self._verify(reach)

    def record(self, code: ExitCode) -> None:
        """Write the outcome into the release that is named, if one is."""
        release = self._environ.get("MONO_SMOKE_RELEASE")
        if release:
            reach = connect(self.environment)
            detail = {"exit_code": int(code), **self.totals}
            kind = ReleaseEventKind.SMOKE_TESTED.value
            reach.ops.ask("releases.record", release_id=release, actor=reach.who, kind=kind, detail=detail)

    def say(self, event: str, **fields: Any) -> None:
        """Write one event; a secret that found its way into a message is taken out."""
        line = json.dumps({"event": event, "at": datetime.now(UTC).isoformat(), **fields}, default=str)
        for secret in self._hidden:
            line = line.replace(json.dumps(secret)[1:-1], "***")
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _import(self, reach: Reach) -> None:
        answer = reach.ops.ask("accounts.import", account_ids=[self.account])
        self.say("smoke.imported", new=bool(answer["imported"]))

    def _sync(self, reach: Reach, number: int) -> dict[str, Any]:
        waiting = SyncWait(reach.api, patience=self._patience, monotonic=time.monotonic, pause=time.sleep)
        answer = waiting.until_the_end(SyncWanted(account_id=self.account), lambda _: None)
        run = answer.run
        facts = {
            "status": answer.status,
            "run_id": run.run_id if run else answer.run_id,
            "verdict": run.verdict.kind if run else None,
            "verdict_reason": run.verdict.reason if run else answer.reason,
            **(run.counts.model_dump() if run else {}),
            "mono_total": run.mono_total if run else None,
        }
        self.say("smoke.synced", run=number, **facts)
        code = of_answer(answer)
        if code is not ExitCode.AS_PROMISED and not _is_all_that_this_bank_has(answer):
            raise Stopped(code, f"run {number} ended {answer.status} {facts['verdict_reason'] or ''}".rstrip())
        return facts

    def _verify(self, reach: Reach) -> None:
        told = verified(reach.ops, self.account, live=True, days=None, watch=lambda _: None)
        self.totals |= {"mono": told["bank"], "stored": told["stored"], "verdict": told["verdict"]}
        self.say("smoke.verified", verdict=told["verdict"], mono=told["bank"], stored=told["stored"])
        code = of_verdict(told["verdict"]["kind"])
        if code is not ExitCode.AS_PROMISED:
            verdict = told["verdict"]
            raise Stopped(
                code, f"{verdict['kind']} {verdict['reason'] or ''} {verdict['first_bad_day'] or ''}".rstrip()
            )
        self._ask_mono_itself(told["stored"]["rows"])

    def _ask_mono_itself(self, stored: int) -> None:
        key = self._environ.get("MONO_SECRET_KEY")
        if not key:
            self.say("smoke.mono_not_asked", why="MONO_SECRET_KEY is not set")
            return
        client = MonoClient(
            base_url=self._environ.get("MONO_BASE_URL") or DEFAULT_MONO_BASE_URL,
            secret_key=Secret(key),
            environment=self.environment,
        )
        deadline, today = Deadline.after(_DIRECT_SECONDS), datetime.now(UTC).date()
        try:
            page = client.transactions(self.account, window=None, page=1, limit=1, deadline=deadline, today=today)
        finally:
            client.close()
        self.totals["mono_total"] = page.total
        self.say("smoke.mono_asked", total=page.total, stored=stored)
        if page.total != stored:
            raise Stopped(ExitCode.MISMATCH, f"Mono itself has {page.total} rows, stored are {stored}")


def _is_all_that_this_bank_has(answer: SyncAnswer) -> bool:
    run = answer.run
    return answer.status == "completed" and run is not None and run.verdict.reason in _NO_BALANCES


def _environment(name: str) -> EnvironmentName:
    if name not in {EnvironmentName.LOCAL, EnvironmentName.DEV, EnvironmentName.STAGING}:
        raise InvalidInput("MONO_SMOKE_ENV", f"is {name[:20]!r}; use local, dev or staging")
    return EnvironmentName(name)


def _seconds(text: str) -> float:
    if not text.isdecimal() or not int(text):
        raise InvalidInput("MONO_SMOKE_SECONDS", "is no whole number of seconds")
    return float(text)


def main(environ: Mapping[str, str]) -> ExitCode:
    """Run it; every end is an event and an exit code."""
    try:
        smoke = SmokeTest(environ)
    except InvalidInput as error:
        sys.stdout.write(json.dumps({"event": "smoke.failed", "exit_code": 2, "why": str(error)}) + "\n")
        return ExitCode.USAGE
    code = _ended(smoke)
    smoke.say("smoke.totals", exit_code=int(code), **smoke.totals)
    return code


def _ended(smoke: SmokeTest) -> ExitCode:
    code = ExitCode.AS_PROMISED
    try:
        smoke.run()
    except Stopped as stop:
        code = stop.code
        smoke.say("smoke.failed", exit_code=int(code), why=str(stop))
    except EXPLAINED as error:
        failure = explain(error)
        code = failure.exit_code
        smoke.say("smoke.failed", exit_code=int(code), code=failure.code, why=failure.sentence)
    try:
        smoke.record(code)
    except EXPLAINED as error:
        smoke.say("smoke.not_recorded", why=explain(error).sentence)
        return max(code, ExitCode.CANNOT_TELL) if code is ExitCode.AS_PROMISED else code
    return code


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main(os.environ))
