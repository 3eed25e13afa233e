"""Secrets into SSM: SecureStrings, encrypted with the key that the application's stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.parameters import ParameterStore, parameter_name
from mono_pipeline.core.errors import ConfigurationError, InvalidInput
from mono_pipeline.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ssm import SSMClient

CURRENT: Final = "MONO_WEBHOOK_SECRET"
PREVIOUS: Final = "MONO_WEBHOOK_SECRET_PREVIOUS"


def write_secrets(
    ssm: SSMClient, environment: str, secrets: Mapping[str, str | Secret], *, description: str = "written by monoctl"
) -> dict[str, int]:
    """Write each setting as the SecureString `/mono-pipeline/{environment}/{NAME}`; return the versions they became.

    The form of a secret is not looked at here: `monoctl.secret_form` does. Raises ParametersUnavailable.
    """
    parameters = ParameterStore(lambda: ssm)
    return {
        name: parameters.put(
            parameter_name(environment, name),
            value.reveal() if isinstance(value, Secret) else value,
            description=description,
            kind="SecureString",
            key=secret_key(environment),
        )
        for name, value in secrets.items()
    }


def secret_key(environment: str) -> str | None:
    """The KMS key of an environment's secrets; None on the embedded stack, which has none."""
    return None if environment == "local" else f"alias/mono-pipeline-{environment}"


def begin_rotation(ssm: SSMClient, environment: str, new: Secret, *, description: str) -> dict[str, int]:
    """Put the webhook secret in use beside a new one, so that Mono may send either; return the versions.

    First the old one under its second name, then the new one: whoever sends is let in at any instant. Raises
    InvalidInput while another rotation has not been ended, for a third secret would shut out who sends the first.
    """
    parameters = ParameterStore(lambda: ssm)
    in_use = parameters.get(parameter_name(environment, CURRENT)).value
    if _value(parameters, environment, PREVIOUS) not in (None, in_use):
        raise InvalidInput(CURRENT, "is being rotated already: `secrets rotate MONO_WEBHOOK_SECRET --end` ends that")
    return write_secrets(ssm, environment, {PREVIOUS: in_use, CURRENT: new}, description=description)


def end_rotation(ssm: SSMClient, environment: str) -> None:
    """Accept the new webhook secret alone; raise InvalidInput where no rotation is under way."""
    if _value(ParameterStore(lambda: ssm), environment, PREVIOUS) is None:
        raise InvalidInput(PREVIOUS, "is not there: no rotation is under way")
    ssm.delete_parameter(Name=parameter_name(environment, PREVIOUS))


def _value(parameters: ParameterStore, environment: str, name: str) -> str | None:
    try:
        return parameters.get(parameter_name(environment, name)).value
    except ConfigurationError:  # there is none
        return None
