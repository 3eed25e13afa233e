"""What every effect may do to a request, to a page and to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from local.sandbox.message import RequestParts, ResponseParts
    from local.sandbox.pages import Page
    from local.sandbox.world import World


class BaseEffect(BaseModel):
    """An effect changes nothing unless it says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """The request to serve in place of the one that came; may change the bank first."""
        del world
        return request

    def instead(self, world: World) -> ResponseParts | None:
        """An answer in place of Mono's own, or None."""
        del world
        return None

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Change a page of transactions before it is written."""

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """Change the finished answer or its delivery."""
        return response
