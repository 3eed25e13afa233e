"""Pages with wrong contents: poisoned rows, false totals, links that lead astray, pages without end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from local.sandbox.bank import hexadecimal
from local.sandbox.effects.base import BaseEffect
from local.sandbox.wire import BASE_URL, encode_row

if TYPE_CHECKING:
    from local.sandbox.message import RequestParts
    from local.sandbox.pages import Page


class Rows(BaseEffect):
    """Raw JSON texts among a page's rows: put in the place of rows, inserted before a position, or appended.

    `patched` changes fields of rows. Each text goes out as it is: `NaN`, duplicate keys, escaped lone
    surrogates or 5,000-digit numbers are possible.
    """

    kind: Literal["rows"] = "rows"
    replaced: dict[int, str] = Field(default_factory=dict)
    inserted: dict[int, str] = Field(default_factory=dict)
    appended: list[str] = Field(default_factory=list)
    patched: dict[int, dict[str, Any]] = Field(default_factory=dict)
    removed: list[int] = Field(default_factory=list)

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Poison the rows; positions are those of the page as it was."""
        del request
        rows: list[list[bytes]] = [[row] for row in page.rows]
        for position, changes in self.patched.items():
            rows[position] = [encode_row({**json.loads(page.rows[position]), **changes})]
        for position, text in self.replaced.items():
            rows[position] = [_raw(text)]
        for position in self.removed:
            rows[position] = []
        for position, text in self.inserted.items():
            rows[position].insert(0, _raw(text))
        page.rows = [row for place in rows for row in place] + [_raw(text) for text in self.appended]


class Meta(BaseEffect):
    """Other values in a page's `meta`: totals that disagree, a cyclic `next`, a `next` to another host."""

    kind: Literal["meta"] = "meta"
    meta: dict[str, Any]

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Change the meta."""
        del request
        page.meta = {**page.meta, **self.meta}


class NullRows(BaseEffect):
    """`data: null`, as Mono's 2024 documents say of a queued synchronisation (Mono contract 2.6)."""

    kind: Literal["null_rows"] = "null_rows"

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Take the rows away."""
        del request
        page.is_null = True


class EndlessPages(BaseEffect):
    """Every page is full and has a next one: beyond the last, rows are invented and the total grows with them."""

    kind: Literal["endless_pages"] = "endless_pages"
    rows_a_page: int = 20

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Invent rows where there are none, and a next page always."""
        number = page.meta["page"]
        if not page.rows:
            page.rows = [_invented(request.path, number, place) for place in range(self.rows_a_page)]
        page.meta["next"] = f"{BASE_URL}{request.path.removeprefix('/v2')}?page={number + 1}"
        page.meta["total"] = max(page.meta["total"], (number + 1) * self.rows_a_page)


def _raw(text: str) -> bytes:
    return text.encode()


def _invented(path: str, page: int, place: int) -> bytes:
    return encode_row(
        {
            "id": hexadecimal(24, path, page, place),
            "narration": f"ENDLESS {page}/{place}",
            "amount": 100,
            "type": "credit",
            "category": None,
            "currency": "NGN",
            "balance": None,
            "date": "2025-06-18T07:02:34.588Z",
        }
    )
