"""The wrong thing served: another page, another account, or a bank that has changed between two pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from local.sandbox.effects.base import BaseEffect
from local.sandbox.wire import BASE_URL

if TYPE_CHECKING:
    from local.sandbox.message import RequestParts
    from local.sandbox.pages import Page
    from local.sandbox.world import World


class ServePage(BaseEffect):
    """Serves another page's rows than those asked for, as page 1 again for page 2.

    `disguised` lets the meta claim that it is the page that was asked for.
    """

    kind: Literal["serve_page"] = "serve_page"
    page: int = 1
    disguised: bool = True

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Ask for the other page."""
        del world
        return replace(request, query="&".join(part for part in (request.query, f"page={self.page}") if part))

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Let the meta lie."""
        if not self.disguised:
            return
        asked, links = int(request.parameters.get("page", "1")), f"{BASE_URL}{request.path.removeprefix('/v2')}?page="
        more = asked * len(page.rows) < page.meta["total"]
        page.meta["page"] = asked
        page.meta["previous"] = f"{links}{asked - 1}" if asked > 1 else None
        page.meta["next"] = f"{links}{asked + 1}" if more else None


class WrongAccount(BaseEffect):
    """Answers with another account's data."""

    kind: Literal["wrong_account"] = "wrong_account"
    account: str

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Ask for the other account."""
        del world
        rest = request.path.removeprefix("/v2/accounts/").partition("/")[2]
        return replace(request, path=f"/v2/accounts/{self.account}" + (f"/{rest}" if rest else ""))


class Drift(BaseEffect):
    """The bank changes just before the answer: any operation of the control API on the account."""

    kind: Literal["drift"] = "drift"
    operation: Literal["add", "late", "amend", "remove", "twin", "reshuffle", "remint", "truncate"]
    arguments: dict[str, Any] = Field(default_factory=dict)

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Change the bank, then serve."""
        account = request.path.removeprefix("/v2/accounts/").partition("/")[0]
        world.operate(self.operation, {"account": account, **self.arguments})
        return request
