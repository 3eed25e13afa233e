"""Which environment is meant, and how the embedded stack of a checkout is found."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from mono_pipeline.core.errors import InvalidInput
from monoctl.errors import StackDown

if TYPE_CHECKING:
    from pathlib import Path

RECORD: Final = ".local/stack.json"


class EnvironmentName(StrEnum):
    """The environments there are."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class StackRecord(BaseModel):
    """Where the embedded stack answers, as `make up` writes it; what else it says is not monoctl's concern."""

    model_config = ConfigDict(frozen=True)

    http: str
    aws_endpoint_url: str
    aws_region: str
    lambda_endpoint_url: str
    logs: str
    prometheus: str | None = None


def find_record(folder: Path) -> Path | None:
    """Return the record of the stack that is up in this folder or the nearest one above it, None where none is."""
    candidates = (each / RECORD for each in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


def resolve(given: EnvironmentName | None, folder: Path) -> EnvironmentName:
    """Return the environment that is meant: the one given, else `local` beside a stack that is up.

    Nobody reaches dev, staging or prod without naming it. Raises InvalidInput where nothing says which.
    """
    if given is not None:
        return given
    if find_record(folder) is not None:
        return EnvironmentName.LOCAL
    choices = "|".join(EnvironmentName)
    raise InvalidInput(
        "--env", f"say which one (--env {choices}, or MONOCTL_ENV): no embedded stack is up in this folder or above it"
    )


def read_record(folder: Path) -> StackRecord:
    """Return the record of the embedded stack; raise StackDown where there is none or it cannot be read."""
    path = find_record(folder)
    if path is None:
        raise StackDown(f"no embedded stack is up here (no {RECORD} in this folder or above it): `make up` starts one")
    try:
        return StackRecord.model_validate(json.loads(path.read_text()))
    except (ValidationError, ValueError) as error:
        raise StackDown(f"{path} is not what `make up` writes: `make down`, then `make up`") from error
