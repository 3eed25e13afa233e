"""How many pages a pass should have, from the total and from how many rows a page really holds."""

from __future__ import annotations

# Beyond the expected last page a bank may still add rows while we read; more than this is a server that never ends.
_SLACK_PAGES = 10


def expected_last_page(*, number: int, rows: int, total: int) -> int:
    """The number of the last page, judged from a full page `number` that held `rows` rows.

    The server may cap `limit` (Mono contract 8), so the limit that was asked for says nothing.
    """
    if rows <= 0:
        return number
    return max(number, -(-total // rows))


def page_cap(expected: int) -> int:
    """The page number at which a pass stops as endless."""
    return expected * 2 + _SLACK_PAGES
