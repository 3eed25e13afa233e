"""The secrets of the embedded stack, written where `monoctl secrets set` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.aws import ssm_client

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_secrets(secrets: Mapping[str, str], *, endpoint: str, environment: str = "local") -> None:
    """Write each setting as the SecureString `/mono-pipeline/{environment}/{NAME}`."""
    ssm = ssm_client(endpoint)
    for name, value in secrets.items():
        ssm.put_parameter(
            Name=f"/mono-pipeline/{environment}/{name}",
            Value=value,
            Type="SecureString",
            Description="made for the embedded stack",
            Overwrite=True,
        )
