"""Injected faults: which requests each rule matches, and how often it strikes."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializeAsAny

from local.sandbox.effects import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.sandbox.message import RequestParts

ACCOUNT_IN_PATH = re.compile(r"^/v2/accounts/([0-9a-f]{24})(?:/|$)")


def account_in(path: str) -> str | None:
    """The account id that a path names, if it names one."""
    found = ACCOUNT_IN_PATH.match(path)
    return found[1] if found else None


class Fault(BaseModel):
    """One rule: an effect and the requests it is for.

    Attributes:
        effect: What goes wrong.
        account: Only requests that name this account.
        path: Only paths that match this glob, as `*/transactions`.
        method: Only this method.
        page: Only requests for this page; a request without a page asks for page 1.
        nth: Strike from the nth matching request on.
        times: How many requests it strikes; None is for ever.
    """

    model_config = ConfigDict(extra="forbid")

    effect: SerializeAsAny[Effect]
    account: str | None = None
    path: str = "*"
    method: str | None = None
    page: int | None = None
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1)] | None = 1
    _seen: int = PrivateAttr(0)
    _struck: int = PrivateAttr(0)

    def strikes(self, request: RequestParts) -> bool:
        """Whether this request is struck; counts it."""
        if not self._is_for(request) or self.is_spent:
            return False
        self._seen += 1
        if self._seen < self.nth:
            return False
        self._struck += 1
        return True

    @property
    def is_spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times is not None and self._struck >= self.times

    @property
    def struck(self) -> int:
        """How often it has struck."""
        return self._struck

    def _is_for(self, request: RequestParts) -> bool:
        return (
            (self.account is None or account_in(request.path) == self.account)
            and fnmatchcase(request.path, self.path)
            and (self.method is None or request.method == self.method)
            and (self.page is None or request.parameters.get("page", "1") == str(self.page))
        )


class FaultRules:
    """The rules in force, in the order in which they were injected; all that match a request strike it together."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Put one more rule in force."""
        self.rules.append(fault)

    def striking(self, request: RequestParts) -> list[Effect]:
        """The effects that strike this request."""
        return [fault.effect for fault in self.rules if fault.strikes(request)]

    def clear(self) -> None:
        """End every rule."""
        self.rules.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.rules)
