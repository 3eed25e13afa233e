"""docs/runbook.md: its commands and queries are carried out on a stack of their own, in the order of the page."""

from __future__ import annotations

import re
import shlex
from copy import replace
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from typer.testing import CliRunner

from local.build import ROOT
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack
from local.stack_settings import SANDBOX_KEY
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from monoctl.app import app
from monoctl.environment import StackRecord
from monoctl.exit_code import ExitCode
from monoctl.reach import EmbeddedReach
from monoctl.session import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (ROOT / "docs" / "runbook.md").read_text()
NAMED: Final = "64779d900000000000ab0001"
QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
WINDOW: Final = ["--minutes", "0.02", "--look", "0.2", "--alerting-lag", "0", "--without-alerts", "a stack without any"]
# What a command may come to here beside 0: with the flag off, without Prometheus, with a window too short to judge.
ELSE: Final[dict[str, set[ExitCode]]] = {
    "preflight": {ExitCode.DOWN, ExitCode.CANNOT_TELL},
    "sync": {ExitCode.DEFERRED, ExitCode.INCOMPLETE},
    "backfill": {ExitCode.DEFERRED, ExitCode.INCOMPLETE},
    "verify": {ExitCode.INCOMPLETE},
    "canary": {ExitCode.INCOMPLETE},
    "watch": {ExitCode.INCOMPLETE},
    "promote": {ExitCode.INCOMPLETE, ExitCode.USAGE},  # it wants a canary that was promoted
    "rollback": {ExitCode.INCOMPLETE, ExitCode.CANNOT_TELL},
}


def blocks(language: str) -> list[str]:
    """The code blocks of a language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.+?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def commands() -> list[list[str]]:
    """Every monoctl command of the page, in its blocks and in its sentences, each once."""
    lines = re.findall(r"(?:^ *|`)(monoctl --env prod [^`\n]+)", PAGE, re.MULTILINE)
    return [shlex.split(line)[1:] for line in dict.fromkeys(lines)]


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A stack that nobody else uses: secrets are changed, and the flag goes on and off."""
    with EmbeddedStack(
        tmp_path_factory.mktemp("runbook"),
        postgres=QUICK,
        variables={"MONO_RATE_LIMIT_PER_MINUTE": "60000"},
        sandbox={"accounts": "0"},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def account(own_stack: EmbeddedStack) -> str:
    """The account that the page calls `64779d900000000000ab0001`."""
    sandbox = SandboxClient(own_stack.record["sandbox"])
    made = str(sandbox.create_account(transactions=60, days=40)["id"])
    sandbox.close()
    return made


@pytest.fixture(scope="module")
def reach(own_stack: EmbeddedStack) -> Iterator[EmbeddedReach]:
    """One for all commands; a command's own connections end with its process."""
    record = StackRecord.model_validate(own_stack.record)
    opened = EmbeddedReach(record)
    yield opened
    for close in (
        opened.api._http.close,
        opened.dead_letters._http.close,
        opened.ssm.close,
        opened.deployment._sqs.close,
        *([opened.ops._client.close] if opened.ops._client else []),
    ):
        close()


def carried_out(words: list[str], reach: EmbeddedReach, account: str) -> tuple[int, str]:
    """One command on the stack; its exit code and what it said."""
    words = [word.replace(NAMED, account) for word in words]
    words[words.index("prod")] = "local"
    if "--prometheus" in words:
        at = words.index("--prometheus")
        del words[at : at + 2]
    if words[2] in {"canary", "promote", "watch"}:
        if "--minutes" in words:
            at = words.index("--minutes")
            del words[at : at + 2]
        words += WINDOW
    if words[2] == "rollback":
        words.append("--keep-dead-letters")
    wiring = Wiring(connect=lambda _: reach)
    result = CliRunner().invoke(app, words, obj=wiring, input=f"{SANDBOX_KEY}\n", env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_every_command_does_what_the_page_says_it_does(reach: EmbeddedReach, account: str) -> None:
    """In the page's order, as an operator in trouble would paste them; none ends in a defect or as wrongly used."""
    carried_out(["--env", "prod", "accounts", "import", account], reach, account)
    carried_out(["--env", "prod", "flag", "set", "true", "--reason", "a test"], reach, account)
    while carried_out(["--env", "prod", "sync", account], reach, account)[0] == ExitCode.DEFERRED:
        pass  # the functions notice the flag within the age of their cache
    nobody = '{"enabled": true, "percentage": 0}'  # as before a release
    carried_out(["--env", "prod", "flag", "set", nobody, "--reason", "a test"], reach, account)
    failed = {}
    for words in commands():
        code, said = carried_out(words, reach, account)
        if code and code not in ELSE.get(words[2], set()):
            failed[" ".join(words)] = (code, said[-400:])
    assert not failed, "\n".join(f"{words}: {end}" for words, end in failed.items())
    assert len(commands()) >= 35


def test_every_query_runs_as_the_reader(own_stack: EmbeddedStack, account: str) -> None:
    """Who is asked at night has no other role at hand."""
    assert account
    url: Any = httpx.URL(own_stack.record["database_url"])
    address = DatabaseAddress(host=url.host, port=url.port, database=url.path[1:], user="reader")
    reader = Database(replace(address))
    try:
        for query in blocks("sql"):
            reader.rows(query.rstrip().removesuffix(";"))
    finally:
        reader.close()
