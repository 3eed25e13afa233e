"""`monoctl secrets`: of the right form, encrypted, and never on a screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer

from mono_pipeline.core.secret import Secret
from monoctl.secret_writing import write_secrets
from tests.unit.monoctl.stand_ins import FakeReach, Said, monoctl

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

LONG = "w" * 40
OTHER = "x" * 40


def stored(ssm: SSMClient, name: str, environment: str = "local") -> tuple[str, str]:
    """Return type and value of a parameter."""
    found = ssm.get_parameter(Name=f"/mono-pipeline/{environment}/{name}", WithDecryption=True)["Parameter"]
    return found["Type"], found["Value"]


def set_secret(ssm: SSMClient, name: str, value: str, environment: str = "local") -> Said:
    """Run `secrets set` with a value on standard input."""
    return monoctl(
        "secrets", "set", name, "--from-stdin", reach=FakeReach(ssm=ssm), typed=f"{value}\n", environment=environment
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONO_SECRET_KEY", "test_sk_0123456789abcdef"),
        ("MONO_WEBHOOK_SECRET", LONG),
        ("MONO_WEBHOOK_SECRET_PREVIOUS", LONG),
        ("DATABASE_PASSWORD", "hunter2!"),
    ],
)
def test_a_secret_is_written_encrypted_and_never_said(ssm: SSMClient, name: str, value: str) -> None:
    """The line's end is not a part of it."""
    said = set_secret(ssm, name, value)

    assert said.exit_code == 0
    assert stored(ssm, name) == ("SecureString", value)
    assert value not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("name", "value", "environment"),
    [
        ("MONO_SECRET_KEY", "test_sk_0123456789abcdef", "prod"),
        ("MONO_SECRET_KEY", "live_pk_0123456789abcdef", "local"),
        ("MONO_SECRET_KEY", "", "local"),
        ("MONO_WEBHOOK_SECRET", "w" * 31, "local"),
        ("MONO_WEBHOOK_SECRET", f"{LONG} {LONG}", "local"),
        ("MONO_WEBHOOK_SECRET", f"{LONG}é", "local"),
        ("MONO_BASE_URL", "https://api.withmono.com", "local"),
    ],
)
def test_what_cannot_be_that_secret_is_refused_without_repeating_it(
    ssm: SSMClient, name: str, value: str, environment: str
) -> None:
    """Exit code 2, and nothing is written."""
    said = set_secret(ssm, name, value, environment)

    assert said.exit_code == 2
    assert not value or value not in said.stdout + said.stderr
    assert len(ssm.describe_parameters()["Parameters"]) == 2  # the flags


def test_a_live_key_outside_prod_is_written_with_a_warning(ssm: SSMClient) -> None:
    """It reads real people's accounts, which may be meant."""
    said = set_secret(ssm, "MONO_SECRET_KEY", "live_sk_0123456789abcdef")

    assert said.exit_code == 0
    assert "live key" in said.stderr
    assert set_secret(ssm, "MONO_SECRET_KEY", "live_sk_0123456789abcdef", "prod").stderr == ""


def test_a_generated_secret_is_long_new_each_time_and_not_shown(ssm: SSMClient) -> None:
    """How to hand it on is said instead."""
    values = set()
    for _ in range(2):
        said = monoctl("secrets", "set", "MONO_WEBHOOK_SECRET", "--generate", reach=FakeReach(ssm=ssm))
        _, value = stored(ssm, "MONO_WEBHOOK_SECRET")
        assert value not in said.stdout + said.stderr
        assert "aws ssm get-parameter" in said.stderr
        values.add(value)

    assert len(values) == 2
    assert min(map(len, values)) >= 32


@pytest.mark.parametrize(
    "arguments",
    [
        ("MONO_SECRET_KEY", "--generate"),
        ("MONO_WEBHOOK_SECRET", "--generate", "--from-stdin"),
        ("MONO_WEBHOOK_SECRET",),  # no terminal to ask on
    ],
)
def test_a_value_comes_from_one_place_that_can_give_it(ssm: SSMClient, arguments: tuple[str, ...]) -> None:
    """Mono's key is not ours to make up; a pipe is read only when told so."""
    assert monoctl("secrets", "set", *arguments, reach=FakeReach(ssm=ssm), typed=LONG).exit_code == 2


def test_on_a_terminal_it_is_asked_for_twice_without_echo(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the shell's history nor on the screen."""
    asked: list[dict[str, object]] = []

    def prompt(name: str, **options: object) -> str:
        asked.append({"name": name, **options})
        return LONG

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr("monoctl.commands.secrets.has_terminal", lambda: True)

    assert monoctl("secrets", "set", "MONO_WEBHOOK_SECRET", reach=FakeReach(ssm=ssm)).exit_code == 0
    assert asked == [{"name": "MONO_WEBHOOK_SECRET", "hide_input": True, "confirmation_prompt": True, "err": True}]
    assert stored(ssm, "MONO_WEBHOOK_SECRET")[1] == LONG


def rotate(ssm: SSMClient, *options: str, typed: str = "") -> Said:
    """Run `secrets rotate`."""
    return monoctl("secrets", "rotate", "MONO_WEBHOOK_SECRET", *options, reach=FakeReach(ssm=ssm), typed=typed)


def test_while_rotating_both_secrets_are_there_and_afterwards_the_new_one(ssm: SSMClient) -> None:
    """No webhook is refused meanwhile."""
    set_secret(ssm, "MONO_WEBHOOK_SECRET", LONG)

    assert rotate(ssm, "--from-stdin", typed=OTHER).exit_code == 0
    assert stored(ssm, "MONO_WEBHOOK_SECRET")[1] == OTHER
    assert stored(ssm, "MONO_WEBHOOK_SECRET_PREVIOUS")[1] == LONG

    assert rotate(ssm, "--end").exit_code == 0
    assert stored(ssm, "MONO_WEBHOOK_SECRET")[1] == OTHER
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        stored(ssm, "MONO_WEBHOOK_SECRET_PREVIOUS")
    assert rotate(ssm, "--end").exit_code == 2


def test_a_second_rotation_waits_for_the_end_of_the_first(ssm: SSMClient) -> None:
    """There is no third place: whoever still sends the first secret would be shut out."""
    set_secret(ssm, "MONO_WEBHOOK_SECRET", LONG)
    rotate(ssm, "--generate")

    assert rotate(ssm, "--generate").exit_code == 2
    assert stored(ssm, "MONO_WEBHOOK_SECRET_PREVIOUS")[1] == LONG


def test_a_rotation_cut_off_after_its_first_write_can_be_run_again(ssm: SSMClient) -> None:
    """The old secret stands in both places then."""
    set_secret(ssm, "MONO_WEBHOOK_SECRET", LONG)
    set_secret(ssm, "MONO_WEBHOOK_SECRET_PREVIOUS", LONG)

    assert rotate(ssm, "--from-stdin", typed=OTHER).exit_code == 0
    assert stored(ssm, "MONO_WEBHOOK_SECRET")[1] == OTHER


def test_only_the_webhook_secret_rotates(ssm: SSMClient) -> None:
    """Mono has one key at a time."""
    assert monoctl("secrets", "rotate", "MONO_SECRET_KEY", "--generate", reach=FakeReach(ssm=ssm)).exit_code == 2


def test_machines_get_the_version_and_never_the_value(ssm: SSMClient) -> None:
    """Who wrote it and when stands in SSM's description."""
    said = monoctl(
        "--json", "secrets", "set", "MONO_WEBHOOK_SECRET", "--from-stdin", reach=FakeReach(ssm=ssm), typed=LONG
    )

    name = "/mono-pipeline/local/MONO_WEBHOOK_SECRET"
    assert json.loads(said.stdout) == {"written": {name: 1}}
    description = ssm.get_parameter_history(Name=name)["Parameters"][-1]["Description"]
    assert description == "2026-11-24T12:00:00Z ada@example.com: monoctl secrets"


def test_the_embedded_stack_writes_its_secrets_the_same_way(ssm: SSMClient) -> None:
    """Several at once, as text or as secrets, whatever their form."""
    versions = write_secrets(ssm, "local", {"MONO_SECRET_KEY": "any", "DATABASE_PASSWORD": Secret("local")})

    assert versions == {"MONO_SECRET_KEY": 1, "DATABASE_PASSWORD": 1}
    assert stored(ssm, "DATABASE_PASSWORD") == ("SecureString", "local")
