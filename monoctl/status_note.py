"""What support tells customers while a release is taken back: one text, filled in by what was done."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Final

from monoctl.console.words import minute

if TYPE_CHECKING:
    from datetime import datetime

_NOTE: Final = Template(
    """Bank transaction sync paused ($environment, $when)

New bank transactions are not being brought in at the moment. Transactions that are already shown are complete up to the
last sync and stay available; nothing was lost and nothing needs to be linked again. Syncing goes on from where each
account stopped once it is turned on again.

Why: $why
Next: we look into it and tell here when it is on again. Reference: $reference"""
)


def status_note(*, environment: str, at: datetime, why: str, release: str | None) -> str:
    """Return the note; `why` is the operator's own reason, in words that customers may read."""
    reference = f"release {release}" if release else "no release on record"
    return _NOTE.substitute(environment=environment, when=minute(at), why=why, reference=reference)
