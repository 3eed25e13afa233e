"""The audit trail of releases: written once, in order, by whoever may, and never changed."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.postgres import Database, StatementRefused
from mono_pipeline.adapters.release_store import ReleaseStore
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from mono_pipeline.usecases.release_log import ReleaseLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration


@pytest.fixture
def functions_role(address: DatabaseAddress) -> Iterator[Database]:
    """As the ops function logs in."""
    database = Database(replace(address, user="pipeline"))
    yield database
    database.close()


@pytest.fixture
def owner(address: DatabaseAddress) -> Iterator[Database]:
    """The owner of the tables."""
    database = Database(address)
    yield database
    database.close()


@pytest.fixture
def log(functions_role: Database) -> ReleaseLog:
    """The trail, with a release that ada began."""
    log = ReleaseLog(functions_role)
    log.begin({"release_id": "r-1", "actor": "ada", "version": "1.4.0", "reason": "launch"})
    return log


def record(log: ReleaseLog, kind: str, release_id: str = "r-1", **detail: Any) -> dict[str, Any]:
    """Write an event down."""
    answer = log.record({"release_id": release_id, "actor": "ada", "kind": kind, "detail": detail})
    event: dict[str, Any] = answer["event"]
    return event


def test_what_happened_is_read_in_its_order(log: ReleaseLog) -> None:
    """The open release is meant where none is named; pages go on where the last one ended."""
    for kind in ("preflight.checked", "canary.started", "gate.judged"):
        record(log, kind, seen=kind)

    first = log.show({"limit": 2})
    rest = log.show({"limit": 2, "after": first["next"]})

    assert (first["release"]["id"], first["release"]["status"]) == ("r-1", "open")
    assert [each["kind"] for each in first["events"] + rest["events"]] == [
        "preflight.checked",
        "canary.started",
        "gate.judged",
    ]
    assert first["events"][0]["detail"] == {"seen": "preflight.checked"}
    assert rest["next"] is None


def test_one_release_is_open_at_a_time(log: ReleaseLog) -> None:
    """Begun again it is the same one; another one has to wait, and an id is used once."""
    again = log.begin({"release_id": "r-1", "actor": "bea", "version": "2", "reason": "again"})
    assert (again["release"]["actor"], again["release"]["version"]) == ("ada", "1.4.0")
    with pytest.raises(InvalidInput, match="r-1 is under way"):
        log.begin({"release_id": "r-2", "actor": "bea", "version": "2", "reason": "another"})

    record(log, "release.closed", reason="not today")

    with pytest.raises(InvalidInput, match="was a release before"):
        log.begin({"release_id": "r-1", "actor": "bea", "version": "2", "reason": "another"})
    log.begin({"release_id": "r-2", "actor": "bea", "version": "2", "reason": "another"})
    assert [(each["id"], each["status"]) for each in log.list({})["releases"]] == [("r-2", "open"), ("r-1", "closed")]


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["canary.started", "gate.judged"], ReleaseStatus.OPEN),
        (["promotion.finished"], ReleaseStatus.PROMOTED),
        (["rollback.finished"], ReleaseStatus.ROLLED_BACK),
        (["promotion.finished", "rollback.finished"], ReleaseStatus.ROLLED_BACK),
        (["rollback.finished", "promotion.finished"], ReleaseStatus.ROLLED_BACK),
        (["release.closed", "rollback.finished"], ReleaseStatus.CLOSED),
        (["promotion.finished", "release.signed_off"], ReleaseStatus.PROMOTED),
    ],
)
def test_the_events_say_how_a_release_stands(
    log: ReleaseLog, functions_role: Database, kinds: list[str], status: ReleaseStatus
) -> None:
    """A promoted one can still be rolled back, a rolled back one never comes back."""
    for kind in kinds:
        record(log, kind)

    found = ReleaseStore(functions_role).find("r-1")
    assert found is not None
    assert found.status is status


REWRITING = (
    "UPDATE release_events SET detail = '{}'",
    "UPDATE release_events SET at = now() - interval '1 day'",
    "DELETE FROM release_events",
    "TRUNCATE release_events",
    "UPDATE releases SET reason = 'another'",
    "UPDATE releases SET actor = 'eve'",
    "DELETE FROM releases",
    "TRUNCATE releases CASCADE",
)
FORGING = (
    "UPDATE releases SET status = 'promoted'",
    "INSERT INTO releases (id, actor, version, reason, status) VALUES ('r-9', 'eve', '1', 'x', 'promoted')",
    """INSERT INTO release_events (release_id, actor, kind, at)
       VALUES ('r-1', 'eve', 'release.signed_off', now() - interval '1 day')""",
)


@pytest.mark.parametrize("statement", REWRITING)
def test_nobody_rewrites_what_happened(
    log: ReleaseLog, owner: Database, functions_role: Database, statement: str
) -> None:
    """The functions' role has no right to; for the owner a trigger says no."""
    record(log, "canary.started", accounts=["a"])

    for database in (functions_role, owner):
        with pytest.raises(StatementRefused) as refused:
            database.rows(statement)
        assert refused.value.sqlstate == "42501"

    assert log.show({})["events"][0]["detail"] == {"accounts": ["a"]}


@pytest.mark.parametrize("statement", FORGING)
@pytest.mark.usefixtures("log")
def test_the_functions_role_forges_neither_time_nor_outcome(functions_role: Database, statement: str) -> None:
    """When something happened is the database's word, what it makes of the release is the trigger's."""
    with pytest.raises(StatementRefused) as refused:
        functions_role.rows(statement)

    assert refused.value.sqlstate == "42501"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"release_id": "no id", "actor": "ada", "kind": "canary.started"}, "release_id"),
        ({"release_id": "r-7", "actor": "ada", "kind": "canary.started"}, "release_id"),
        ({"release_id": "r-1", "actor": "a da", "kind": "canary.started"}, "actor"),
        ({"release_id": "r-1", "actor": "ada", "kind": "canary.sang"}, "kind"),
        ({"release_id": "r-1", "actor": "ada", "kind": "canary.started", "detail": []}, "detail"),
        ({"release_id": "r-1", "actor": "ada", "kind": "canary.started", "detail": {"x": "y" * 100_000}}, "detail"),
    ],
)
def test_what_is_no_event_is_refused_by_its_field(log: ReleaseLog, event: dict[str, Any], field: str) -> None:
    """And nothing is written."""
    with pytest.raises(InvalidInput) as refused:
        log.record(event)

    assert refused.value.field == field
    assert log.show({})["events"] == []


def test_without_a_release_there_is_nothing_to_show(functions_role: Database) -> None:
    """It says so, and does not answer with an empty one."""
    with pytest.raises(InvalidInput, match="there is no release yet"):
        ReleaseLog(functions_role).show({})


def test_every_kind_of_event_is_one_that_the_table_takes(log: ReleaseLog) -> None:
    """The list in the code and the constraint in the schema are of one form."""
    for kind in ReleaseEventKind:
        record(log, kind)

    assert [each["kind"] for each in log.show({})["events"]] == list(ReleaseEventKind)
