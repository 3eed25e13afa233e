"""Secrets: there, encrypted, and of the form that they must have. No value is ever repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.adapters.parameters import parameter_name
from mono_pipeline.core.errors import InvalidInput
from monoctl.preflight.line import Found, failed, passed
from monoctl.secret_form import checked, secret_form

if TYPE_CHECKING:
    from monoctl.preflight.grounds import Grounds


def mono_key(grounds: Grounds) -> Found:
    """`MONO_SECRET_KEY`: a live key in prod."""
    return _secret(grounds, "MONO_SECRET_KEY")


def webhook_secret(grounds: Grounds) -> Found:
    """`MONO_WEBHOOK_SECRET`: at least 32 characters."""
    return _secret(grounds, "MONO_WEBHOOK_SECRET")


def _secret(grounds: Grounds, name: str) -> Found:
    where = parameter_name(grounds.environment, name)
    write = f"monoctl --env {grounds.environment} secrets set {name}"
    parameter = grounds.parameters.get_many([where]).get(where)
    if parameter is None:
        return failed("is not set", write)
    if parameter.kind != "SecureString":
        return failed(f"is stored in clear (a {parameter.kind})", f"delete {where}, then: {write}")
    try:
        _, warnings = checked(secret_form(name), parameter.value, grounds.environment)
    except InvalidInput as problem:
        return failed(problem.problem, write)
    words = [f"{len(parameter.value)} characters, version {parameter.version}"]
    if name == "MONO_SECRET_KEY":
        words.insert(0, f"a {parameter.value.partition('_')[0]} key")
    return passed(", ".join([*words, *warnings]))
