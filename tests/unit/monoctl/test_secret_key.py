"""A deployed secret is encrypted with the application's own key, by the name that its stack gives it."""

from __future__ import annotations

from typing import Any

import pytest

from local.template import Template
from monoctl.secret_writing import secret_key, write_secrets


class Recorder:
    """SSM, as far as it is told something."""

    def __init__(self) -> None:
        self.puts: list[dict[str, Any]] = []

    def put_parameter(self, **request: Any) -> dict[str, Any]:
        """Take it down."""
        self.puts.append(request)
        return {"Version": 1}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_deployed_secret_is_encrypted_with_our_key(environment: str) -> None:
    """Who may read the parameter may not decrypt it without the key's leave too."""
    ssm: Any = Recorder()

    write_secrets(ssm, environment, {"MONO_SECRET_KEY": "any"})

    template = Template.expand(parameters={"Environment": environment})
    (made,) = (properties["AliasName"] for _, properties in template.resolved("AWS::KMS::Alias"))
    assert [(put["Type"], put["KeyId"]) for put in ssm.puts] == [("SecureString", made)]


def test_the_embedded_stack_has_no_key() -> None:
    """And needs none."""
    assert secret_key("local") is None
