"""How the functions log in where AWS IAM decides: a token at each connect, to a server that has proved itself."""

from __future__ import annotations

import sys
from copy import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth  # noqa: F401 - with it come all that sign
import pytest

from functions.ops import migrate
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.bootstrap import Environment
from mono_pipeline.core.errors import DatabaseUnavailable
from tests.faults.certificates import make_authority
from tests.faults.tls_front import TlsFront
from tests.integration.conftest import MIGRATIONS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.faults.certificates import Authority

pytestmark = pytest.mark.integration

LONGEST: Final = timedelta(minutes=15)  # Amazon RDS: how old a token may be when it is shown
ASK_FOR_A_PASSWORD: Final = b"R\0\0\0\x08\0\0\0\x03"
REFUSED: Final = b"SFATAL\0C28000\0MPAM authentication failed\0\0"


class Clock:
    """What time it is for who signs tokens, and for who judges them."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self, *, remove_tzinfo: bool = True) -> datetime:
        """As botocore asks for it."""
        return self.now.replace(tzinfo=None) if remove_tzinfo else self.now


class RdsFront(TlsFront):
    """Asks for a token as Amazon RDS does, and lets in who shows one of its own that is at most 15 minutes old."""

    def __init__(self, postgres_port: int, context: ssl.SSLContext, clock: Clock) -> None:
        super().__init__(postgres_port, context)
        self._clock = clock
        self.shown: list[tuple[str, timedelta]] = []

    def lets_in(self, client: ssl.SSLSocket) -> bool:
        """Note whose token was shown and how old it was."""
        client.sendall(ASK_FOR_A_PASSWORD)
        message = b""
        while len(message) < 5 or len(message) < 1 + int.from_bytes(message[1:5]):
            message += client.recv(65_536)
        token = urlsplit("https://" + message[5:-1].decode())
        query = {name: values[0] for name, values in parse_qs(token.query).items()}
        made = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        age = self._clock.now - made
        self.shown.append((query["DBUser"], age))
        allowed = (
            (token.hostname, token.port, query["Action"]) == ("localhost", self.port, "connect")
            and query["X-Amz-Credential"].startswith("AKIDEXAMPLE/20261124/eu-west-1/rds-db/")
            and age <= LONGEST
        )
        if not allowed:
            client.sendall(b"E" + (4 + len(REFUSED)).to_bytes(4) + REFUSED)
        return allowed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The same for both sides."""
    clock = Clock()
    # botocore signs with awscrt where that is installed
    for name, module in list(sys.modules.items()):
        if name.startswith("botocore.") and hasattr(module, "get_current_datetime"):
            monkeypatch.setattr(module, "get_current_datetime", clock)
    for name, text in (
        ("ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("SECRET_ACCESS_KEY", "made-up"),
        ("DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", text)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # whoever asked AWS before left credentials in it
    return clock


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the functions are told to trust."""
    return make_authority(tmp_path, "ours")


@pytest.fixture
def rds(address: DatabaseAddress, clock: Clock, authority: Authority) -> Iterator[RdsFront]:
    """The database behind it, by the name `localhost`."""
    with RdsFront(address.port, authority.serving("localhost"), clock) as front:
        yield front


def deployed(front: TlsFront, database: str, authority: Authority, *, host: str = "localhost") -> Environment:
    """A function's environment in production."""
    here = Environment(
        {
            "ENVIRONMENT": "prod",
            "DATABASE_HOST": host,
            "DATABASE_PORT": str(front.port),
            "DATABASE_NAME": database,
            "DATABASE_USER": "pipeline",
            "DATABASE_OWNER": "postgres",
            "DATABASE_CA_FILE": str(authority.certificate),
            **dict.fromkeys(("QUEUE_URL", "BACKFILL_QUEUE_URL", "DEAD_LETTER_QUEUE_URL"), "https://sqs.example/q"),
        }
    )
    key = Parameter(
        name="/mono-pipeline/prod/MONO_SECRET_KEY", value="live_sk_0123456789abcdef", version=1, kind="SecureString"
    )
    here.parameters = SimpleNamespace(get_many=lambda _names: {key.name: key})  # type: ignore[assignment]
    return here


def test_a_token_is_made_at_each_connect(
    rds: RdsFront, address: DatabaseAddress, authority: Authority, clock: Clock
) -> None:
    """A connection that is lost is made again long after the first token's end; one that holds needs none."""
    database = deployed(rds, address.database, authority).database
    who = "SELECT current_user::text AS name"
    assert database.rows(who) == [{"name": "pipeline"}]
    clock.now += LONGEST + timedelta(minutes=5)
    assert database.rows(who) == [{"name": "pipeline"}]
    assert len(rds.shown) == 1

    database.close()
    assert database.rows(who) == [{"name": "pipeline"}]
    database.close()

    assert rds.shown == [("pipeline", timedelta())] * 2
    assert rds.versions == {"TLSv1.3"}


def test_a_token_that_is_too_old_would_be_refused(
    rds: RdsFront, address: DatabaseAddress, authority: Authority, clock: Clock
) -> None:
    """That the test above can fail: the same token again, twenty minutes later, is an outage."""
    where = deployed(rds, address.database, authority).address
    assert where.password is not None
    token = where.password()
    database = Database(replace(where, password=lambda: token))
    database.rows("SELECT 1")
    database.close()
    clock.now += LONGEST + timedelta(minutes=5)

    with pytest.raises(DatabaseUnavailable) as refused:
        database.rows("SELECT 1")

    assert "X-Amz" not in str(refused.value)
    assert [age > LONGEST for _, age in rds.shown] == [False, True]


@pytest.mark.parametrize("how", ["another authority", "another name"])
def test_no_token_is_shown_to_a_server_that_cannot_prove_itself(
    rds: RdsFront, address: DatabaseAddress, authority: Authority, tmp_path: Path, how: str
) -> None:
    """It would be let in with it for a quarter of an hour."""
    trusted = make_authority(tmp_path, "theirs") if how == "another authority" else authority
    host = "127.0.0.1" if how == "another name" else "localhost"
    here = deployed(rds, address.database, trusted, host=host)

    with pytest.raises(DatabaseUnavailable, match="SSLCertVerificationError"):
        here.database.rows("SELECT 1")

    assert (rds.sessions, rds.shown) == (0, [])


def test_the_owner_s_token_is_the_owner_s(rds: RdsFront, address: DatabaseAddress, authority: Authority) -> None:
    """For the migrations that the ops function makes by hand."""
    here = deployed(rds, address.database, authority)
    assert here.owner_address.password is not None
    query = parse_qs(urlsplit(f"https://{here.owner_address.password()}").query)
    assert query["DBUser"] == ["postgres"]
    assert here.owner_address.ssl_context is not None


def test_the_migrations_show_one_at_each_invocation(
    rds: RdsFront,
    address: DatabaseAddress,
    authority: Authority,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A warm environment of theirs is asked again after hours."""
    told: dict[str, Any] = {"HOST": "localhost", "PORT": rds.port, "NAME": address.database, "OWNER": "postgres"}
    for name, text in {**told, "CA_FILE": authority.certificate}.items():
        monkeypatch.setenv(f"DATABASE_{name}", str(text))
    monkeypatch.setattr(migrate, "MIGRATIONS", MIGRATIONS)

    for _ in range(2):
        assert migrate.handler({"phase": "all"}, None) == {"applied": []}  # type: ignore[arg-type]
        clock.now += timedelta(hours=2)

    assert rds.shown == [("postgres", timedelta())] * 2


def test_no_token_of_the_migrations_is_shown_to_a_server_that_cannot_prove_itself(
    rds: RdsFront, address: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the owner's."""
    told: dict[str, Any] = {"HOST": "localhost", "PORT": rds.port, "NAME": address.database, "OWNER": "postgres"}
    for name, text in {**told, "CA_FILE": make_authority(tmp_path, "theirs").certificate}.items():
        monkeypatch.setenv(f"DATABASE_{name}", str(text))
    monkeypatch.setattr(migrate, "MIGRATIONS", MIGRATIONS)

    with pytest.raises(Exception, match="certificate verify failed"):
        migrate.handler({"phase": "all"}, None)  # type: ignore[arg-type]

    assert (rds.sessions, rds.shown) == (0, [])
