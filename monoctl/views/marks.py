"""The colours of a status and of a verdict: the same wherever they are shown."""

from __future__ import annotations

from typing import Final

from rich.text import Text

_STYLES: Final = {
    "verified": "green",
    "completed": "green",
    "linked": "green",
    "unverifiable": "yellow",
    "incomplete": "yellow",
    "deferred": "yellow",
    "stopped": "yellow",
    "accepted": "cyan",
    "running": "cyan",
    "already_running": "cyan",
    "reauth_required": "yellow",
    "finished": "green",
    "processing": "cyan",
    "mismatch": "bold red",
    "failed": "red",
    "refused": "red",
    "unlinked": "dim",
    "open": "yellow",
}


def marked(word: str | None, absent: str = "-") -> Text:
    """Return a status or verdict in its colour; `absent` where there is none."""
    return Text(word, style=_STYLES.get(word, "")) if word else Text(absent, style="dim")
