"""`monoctl dead-letters`: dry by default, says what stays and why, goes on until it is done, and ends with its code."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.core.errors import DependencyUnavailable, InvalidInput, PipelineError, ProviderPaused
from monoctl.errors import Defect, FlagOff, NotAllowed
from monoctl.reach.dead_letters import DeadLetterApi
from monoctl.reach.gateway import api_client
from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, golden, monoctl, without_margins

if TYPE_CHECKING:
    from collections.abc import Iterable

    type Row = dict[str, Any]

GROUPS = [
    {
        "type": "mono.fetch.failed",
        "reason": "mono_server_error",
        "outcome": "requeued",
        "messages": 41,
        "accounts": 7,
        "oldest": "2026-11-22T12:00:00+00:00",
        "newest": "2026-11-24T11:00:00+00:00",
    },
    {
        "type": "mono.fetch.requested",
        "reason": "unfinished",
        "outcome": "reauth_required",
        "messages": 3,
        "accounts": 3,
        "oldest": "2026-11-24T09:00:00+00:00",
        "newest": "2026-11-24T11:00:00+00:00",
    },
    {
        "type": "unreadable",
        "reason": "not_json",
        "outcome": "quarantined",
        "messages": 1,
        "accounts": 0,
        "oldest": "2026-11-24T11:00:00+00:00",
        "newest": "2026-11-24T11:00:00+00:00",
    },
]
LETTERS = [
    {
        "message_id": f"0d4b9a52-7a2b-4b0e-8a53-2f6d7f1f9c1{number}",
        "type": "mono.fetch.failed",
        "account_id": f"64779d900000000000ab000{number}",
        "correlation_id": f"c-{number}",
        "run_id": "0d4b9a52-7a2b-4b0e-8a53-2f6d7f1f9c10",
        "reason": "mono_server_error",
        "receives": 1,
        "replays": number,
        "outcome": "requeued",
        "sent_at": "2026-11-22T12:00:00+00:00",
    }
    for number in range(3)
]
OUTCOMES = {group["outcome"]: {"messages": group["messages"], "accounts": group["accounts"]} for group in GROUPS}


def answer(operation: str = "replay", *, dry_run: bool = True, status: str = "completed", **fields: Any) -> Row:
    """Return an answer of the function."""
    told = {
        "operation": operation,
        "status": status,
        "dry_run": dry_run,
        "action_id": "a-1",
        "so_far": {"seen": 45, "expected": 45},
        "outcomes": OUTCOMES,
        "groups": GROUPS,
        "letters": LETTERS if operation == "inspect" else [],
        "correlation_id": "c-1",
    }
    return {**told, **fields}


class ScriptedLetters:
    """Answers in the order of its script, and keeps what it was asked; an error of the script is raised."""

    def __init__(self, *answers: Row | Exception) -> None:
        self._answers = deque(answers)
        self.asked: list[Row] = []

    def ask(self, body: Row) -> Row:
        """Answer."""
        self.asked.append(body)
        found = self._answers.popleft()
        if isinstance(found, Exception):
            raise found
        return found


def said(*arguments: str, answers: Iterable[Row | Exception]) -> tuple[Any, ScriptedLetters]:
    """Return what a command says to these answers."""
    letters = ScriptedLetters(*answers)
    return monoctl(*arguments, reach=FakeReach(dead_letters=letters)), letters


def test_an_inspection_fits_80_columns() -> None:
    """Types and reasons whole: whoever filters by them copies them."""
    told, letters = said("dead-letters", "inspect", answers=[answer("inspect")])

    assert (told.exit_code, without_margins(told.stdout)) == (0, golden("dead_letters_inspect"))
    assert max(len(line.rstrip()) for line in told.stdout.splitlines()) <= 80
    assert letters.asked[0]["action"] == "inspect"


def test_a_replay_is_dry_until_it_is_told_otherwise() -> None:
    """What would go back, what stays and why, and how to do it."""
    told, letters = said("dead-letters", "replay", answers=[answer()])

    assert (told.exit_code, letters.asked[0]["dry_run"]) == (0, True)
    assert without_margins(told.stdout + told.stderr.partition("...\n")[2]) == golden("dead_letters_replay_dry")


def test_a_replay_in_earnest_says_what_it_did_and_ends_with_4_when_letters_stay() -> None:
    """Not as promised: somebody has to look after those."""
    told, letters = said("dead-letters", "replay", "--execute", answers=[answer(dry_run=False)])

    assert (told.exit_code, letters.asked[0]["dry_run"]) == (4, False)
    assert without_margins(told.stdout + told.stderr.partition("...\n")[2]) == golden("dead_letters_replay")


def test_every_filter_and_bound_is_passed_on_with_who_asks() -> None:
    """And what is not given is not."""
    filters = ["--type", "mono.fetch.*", "--account", ACCOUNT, "--reason", "mono_*", "--older-than", "PT12H"]
    _, letters = said(
        "dead-letters", "replay", *filters, "--limit", "7", "--rate", "3", "--force", "--execute", answers=[answer()]
    )

    (asked,) = letters.asked
    assert len(asked.pop("action_id")) == 36
    assert asked == {
        "action": "replay",
        "dry_run": False,
        "limit": 7,
        "rate": 3,
        "force": True,
        "filter": {"type": "mono.fetch.*", "account_id": ACCOUNT, "reason": "mono_*", "older_than": "PT12H"},
        "asked_by": "ada@example.com",
    }
    _, letters = said("dead-letters", "purge", answers=[answer("purge")])
    assert letters.asked[0]["filter"] == {}


def test_it_goes_on_until_it_is_done_under_one_id() -> None:
    """However many invocations that takes."""
    answers = [answer(status="continues", so_far={"seen": seen, "expected": 9_000}) for seen in (3_000, 6_000)]
    told, letters = said("dead-letters", "replay", "--execute", answers=[*answers, answer(dry_run=False)])

    assert told.exit_code == 4
    assert len(letters.asked) == 3
    assert len({asked["action_id"] for asked in letters.asked}) == 1


def test_an_action_that_does_not_move_on_is_given_up() -> None:
    """And is not asked for without an end."""
    told, letters = said("dead-letters", "replay", answers=[answer(status="continues")] * 20)

    assert told.exit_code == 8
    assert len(letters.asked) == 6


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ({"requeued": 2}, 0),
        ({"quarantined": 1, "not_matched": 5}, 0),
        ({"requeued": 2, "by_hand": 1}, 4),
        ({"unlinked": 1, "refused": 1, "reauth_required": 1}, 6),
        ({"flag_off": 3}, 3),
        ({"flag_off": 3, "unlinked": 1}, 4),
        ({"unknown_account": 1}, 4),
        ({}, 0),
    ],
)
def test_what_stays_decides_the_exit_code(outcomes: dict[str, int], code: int) -> None:
    """As everywhere: blocked is 6, the flag 3, and a part that stays is 4."""
    counted = {outcome: {"messages": count, "accounts": 1} for outcome, count in outcomes.items()}
    told, _ = said("dead-letters", "replay", "--execute", answers=[answer(dry_run=False, outcomes=counted)])

    assert told.exit_code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FlagOff("off"), 3),
        (ProviderPaused(60, "x"), 7),
        (DependencyUnavailable("x"), 7),
        (InvalidInput("filter.type", "x"), 2),
    ],
)
def test_a_refusal_has_the_code_of_its_reason(error: PipelineError, code: int) -> None:
    """And is a sentence."""
    told, _ = said("dead-letters", "replay", "--execute", answers=[error])

    assert told.exit_code == code
    assert told.stderr.splitlines()[-1].startswith("monoctl: ")


def test_a_dry_run_that_would_be_refused_says_so() -> None:
    """Before somebody executes it."""
    told, _ = said("dead-letters", "replay", answers=[answer(would_be_refused="provider_paused")])

    assert "It would be refused: nobody may call Mono just now" in told.stderr


def test_machines_get_the_whole_answer() -> None:
    """One document."""
    told, _ = said("--json", "dead-letters", "inspect", "--limit", "2", answers=[answer("inspect")])

    document = json.loads(told.stdout)
    assert document["groups"] == GROUPS
    assert document["letters"] == LETTERS[:2]


def test_nothing_there_is_said() -> None:
    """An empty table says nothing."""
    empty = {"groups": [], "letters": [], "outcomes": {}}
    none, _ = said("dead-letters", "inspect", answers=[answer("inspect", so_far={"seen": 0, "expected": 0}, **empty)])
    others, _ = said("dead-letters", "inspect", "--type", "x", answers=[answer("inspect", **empty)])

    assert "There are no dead letters." in none.stderr
    assert "No dead letter is meant by this." in others.stderr


@pytest.mark.parametrize(
    "arguments", [["--older-than", "soon"], ["--account", "x"], ["--limit", "0"], ["--older-than", "P1M"]]
)
def test_what_is_wrong_is_refused_before_anything_is_asked(arguments: list[str]) -> None:
    """A purge by a slip is a purge."""
    told, letters = said("dead-letters", "purge", "--execute", *arguments, answers=[])

    assert told.exit_code == 2
    assert letters.asked == []


def client(code: int, body: Any, **headers: str) -> DeadLetterApi:
    """Return a client whose requests end in this answer."""
    respond = httpx.MockTransport(lambda _: httpx.Response(code, json=body, headers=headers))
    return DeadLetterApi(api_client("https://api.example/prod", auth=None, transport=respond))


def error(code: str, message: str = "m") -> Row:
    """Return the body of an error."""
    return {"status": "x", "error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (422, {**error("invalid_input", "limit: is bad"), "field": "limit"}, InvalidInput),
        (409, error("flag_off"), FlagOff),
        (503, error("provider_paused"), ProviderPaused),
        (503, error("unavailable"), DependencyUnavailable),
        (500, error("internal_error"), Defect),
        (403, {"message": "Forbidden"}, NotAllowed),
        (502, {"message": "Internal server error"}, Defect),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_ours(code: int, body: Row, kind: type[PipelineError]) -> None:
    """Whoever says it: the function, or API Gateway in its stead."""
    with pytest.raises(PipelineError) as raised:
        client(code, body, **{"Retry-After": "77"}).ask({})

    assert type(raised.value) is kind
    if isinstance(raised.value, ProviderPaused):
        assert raised.value.seconds == 77.0


def test_an_answer_is_the_document() -> None:
    """As it came."""
    assert client(200, answer()).ask({}) == answer()
