"""The flag of a session's environment, ready to be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.adapters.parameters import parameter_name
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import FLAG_NAME
from mono_pipeline.usecases.flag_editor import FlagEditor
from monoctl.environment import EnvironmentName

if TYPE_CHECKING:
    from monoctl.session import Session


def flag_editor(session: Session) -> FlagEditor:
    """Return the editor of the flag's parameter."""
    return FlagEditor(session.reach.parameters, parameter_name(session.environment, FLAG_NAME), now=session.wiring.now)


def reason_for(session: Session, given: str | None) -> str:
    """Return why; raise InvalidInput where prod is changed without a reason."""
    if given is None and session.environment is EnvironmentName.PROD:
        raise InvalidInput("--reason", "is required in prod: who reads the history must see why")
    return given if given is not None else "no reason given"
