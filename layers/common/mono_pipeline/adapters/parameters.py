"""SSM Parameter Store as values: what a parameter holds, in which version, who wrote it."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import batched
from typing import TYPE_CHECKING, Final, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import PutParameterRequestTypeDef

type Kind = Literal["String", "SecureString"]

MAX_DESCRIPTION: Final = 1024  # SSM PutParameter
_NAMES_PER_CALL = 10  # SSM GetParameters


def parameter_name(environment: str, setting: str) -> str:
    """Return where a setting lives: `/mono-pipeline/{environment}/{setting}`."""
    return f"/mono-pipeline/{environment}/{setting}"


class Parameter(Discreet, frozen=True, kw_only=True):
    """A parameter as it is now. Its value may be a secret and is kept out of its repr."""

    hidden = frozenset({"value"})

    name: str
    value: str
    version: int
    kind: str = "String"


class ParameterVersion(Discreet, frozen=True, kw_only=True):
    """One version of a parameter that SSM still keeps (the last 100).

    `changed_by` is the IAM identity that SSM saw, `description` what the writer gave with this version.
    """

    hidden = frozenset({"value"})

    version: int
    value: str
    changed_at: datetime
    changed_by: str = ""
    description: str = ""


class ReadsParameter(Protocol):
    """What reads one parameter."""

    def get(self, name: str) -> Parameter:
        """Return it; raise ConfigurationError where there is none, ParametersUnavailable where SSM does not answer."""
        ...


class ReadsParameters(Protocol):
    """What reads several parameters."""

    def get_many(self, names: Iterable[str]) -> dict[str, Parameter]:
        """Return those that exist; raise ParametersUnavailable where SSM does not answer."""
        ...


def ssm_client(*, timeout_seconds: float = 0.5) -> SSMClient:
    """Return an SSM client that gives up soon: a caller waits for the flag, and SSM down must not hold it for long.

    Two attempts, each with `timeout_seconds` to connect and to read, and up to a second between them: an SSM that is
    not there or hangs costs 2 s at most. A person's command line on a slow road gives it more.
    """
    return aws_client("ssm", connect_seconds=timeout_seconds, read_seconds=timeout_seconds, attempts=2)


class ParameterStore:
    """SSM Parameter Store. `connect` makes the client when it is first needed."""

    def __init__(self, connect: Callable[[], SSMClient] = ssm_client) -> None:
        self._connect = connect
        self._client: SSMClient | None = None

    def get(self, name: str) -> Parameter:
        """Return one parameter, decrypted; raise ConfigurationError where there is none, else ParametersUnavailable."""
        with _answered("GetParameter", name):
            found = self._ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        return Parameter(name=name, value=found["Value"], version=found["Version"], kind=found["Type"])

    def get_many(self, names: Iterable[str]) -> dict[str, Parameter]:
        """Return the parameters that exist, by name, decrypted: one call per ten names."""
        found: dict[str, Parameter] = {}
        for part in batched(names, _NAMES_PER_CALL, strict=False):
            with _answered("GetParameters", part[0]):
                answer = self._ssm.get_parameters(Names=list(part), WithDecryption=True)
            for each in answer["Parameters"]:
                found[each["Name"]] = Parameter(
                    name=each["Name"], value=each["Value"], version=each["Version"], kind=each["Type"]
                )
        return found

    def put(
        self,
        name: str,
        value: str,
        *,
        description: str,
        kind: Kind | None = None,
        overwrite: bool = True,
        key: str | None = None,
    ) -> int:
        """Write a value and return the version it became.

        `kind` is needed for a parameter that does not exist yet; None leaves an existing one's as it is. `key` is the
        KMS key of a SecureString, None the account's own for SSM. Raises
        ConfigurationError with `overwrite` False where the parameter exists already.
        """
        request: PutParameterRequestTypeDef = {
            "Name": name,
            "Value": value,
            "Description": description[:MAX_DESCRIPTION],
            "Overwrite": overwrite,
        }
        if kind is not None:
            request["Type"] = kind
        if key is not None:
            request["KeyId"] = key
        with _answered("PutParameter", name):
            return self._ssm.put_parameter(**request)["Version"]

    def history(self, name: str) -> tuple[ParameterVersion, ...]:
        """Return every version that SSM keeps, oldest first; values of a SecureString stay encrypted."""
        with _answered("GetParameterHistory", name):
            pages = self._ssm.get_paginator("get_parameter_history").paginate(Name=name)
            found = [each for page in pages for each in page["Parameters"]]
        versions = (
            ParameterVersion(
                version=each["Version"],
                value=each["Value"],
                changed_at=each["LastModifiedDate"],
                changed_by=each.get("LastModifiedUser", ""),
                description=each.get("Description", ""),
            )
            for each in found
        )
        return tuple(sorted(versions, key=lambda each: each.version))

    @property
    def _ssm(self) -> SSMClient:
        if self._client is None:
            self._client = self._connect()
        return self._client


@contextmanager
def _answered(operation: str, name: str) -> Iterator[None]:
    """Turn botocore's errors into ours, by AWS's code alone: AWS's own text may quote a secret."""
    try:
        yield
    except ClientError as refused:
        raise _from_code(operation, name, refused.response["Error"]["Code"]) from refused
    except BotoCoreError as unanswered:
        raise ParametersUnavailable(f"SSM {operation} {name}: {type(unanswered).__name__}") from unanswered


def _from_code(operation: str, name: str, code: str) -> ConfigurationError | ParametersUnavailable:
    if code == "ParameterNotFound":
        how = "a secret is written by `monoctl secrets set`, everything else by deploying template.yaml"
        return ConfigurationError(name, f"SSM has no such parameter: {how}")
    if code == "ParameterAlreadyExists":
        return ConfigurationError(name, "exists already")
    return ParametersUnavailable(f"SSM {operation} {name}: {code}")
