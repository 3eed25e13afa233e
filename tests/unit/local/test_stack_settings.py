"""What the environment of `make up` may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.stack_settings import VARIABLES, Refused, StackSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_anything_given_it_is_the_sandbox_on_the_known_port() -> None:
    """127.0.0.1:3000, Mono from the sandbox, made-up secrets."""
    settings = StackSettings.from_environment({})
    assert (settings.ports.http, settings.mono_base_url, dict(settings.variables)) == (3000, None, {})
    assert set(settings.all_secrets()) == {"MONO_SECRET_KEY", "MONO_WEBHOOK_SECRET", "DATABASE_PASSWORD"}
    assert len(settings.all_secrets()["MONO_WEBHOOK_SECRET"]) >= 32


def test_every_setting_of_the_product_may_be_given() -> None:
    """They reach the functions by their own names; an empty one is not given."""
    given = {name: f"value of {name}" for name in VARIABLES}
    assert dict(StackSettings.from_environment(given).variables) == given
    assert not StackSettings.from_environment(dict.fromkeys(VARIABLES, "")).variables


def test_another_mono_takes_its_own_key() -> None:
    """And is refused without one, before anything starts."""
    other = {"MONO_BASE_URL": "https://mono.example", "MONO_SECRET_KEY": "live_sk_1"}
    settings = StackSettings.from_environment(other)
    assert settings.mono_base_url == "https://mono.example"
    assert settings.all_secrets()["MONO_SECRET_KEY"] == "live_sk_1"
    with pytest.raises(Refused, match="MONO_SECRET_KEY"):
        StackSettings.from_environment({"MONO_BASE_URL": "https://mono.example"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "prod"),
        ("DATABASE_HOST", "db.example"),
        ("DATABASE_SSLMODE", "verify-full"),
        ("AWS_ENDPOINT_URL", "https://sqs.eu-west-1.amazonaws.com"),
        ("STACK_HTTP_PORT", "many"),
        ("DATABASE_PORT", "0"),
        ("STACK_TICK_SECONDS", "-1"),
    ],
)
def test_what_is_not_embedded_or_makes_no_sense_is_refused_by_name(name: str, value: str) -> None:
    """Instead of starting something else than was asked for."""
    with pytest.raises(Refused, match=name):
        StackSettings.from_environment({name: value})


def test_settings_survive_the_way_to_the_supervisor(tmp_path: Path) -> None:
    """What is written to the file is what is read from it."""
    given = {"MONO_PAGE_LIMIT": "20", "MONO_WEBHOOK_SECRET": "x" * 40, "AWS_ENDPOINT_URL": "http://localhost:4999"}
    settings = StackSettings.from_environment(given, state_dir=tmp_path)
    assert StackSettings.from_json(settings.to_json()) == settings
    assert settings.ports.aws == 4999
