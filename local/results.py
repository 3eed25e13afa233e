"""Results for machines: what a target measured or proved, one row a figure, in `.local/<target>.json`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STATE: Final = ROOT / ".local"

type Value = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """A figure or a case. `goal` None means that there is none, and then `ok` says only that it was measured.

    `waived` is the written reason why a missed goal does not fail the target.
    """

    id: str
    what: str
    value: Value
    unit: str = ""
    goal: Value = None
    ok: bool = True
    waived: str | None = None


def passed(rows: list[ResultRow]) -> bool:
    """Whether every row that has a goal is ok, or waived."""
    return all(row.ok or row.goal is None or row.waived for row in rows)


def write_results(target: str, rows: list[ResultRow], *, folder: Path = STATE) -> Path:
    """Write `.local/<target>.json` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}.json"
    document = {"target": target, "commit": _commit(), "ok": passed(rows), "rows": [_plain(row) for row in rows]}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def _plain(row: ResultRow) -> dict[str, Value]:
    fields = asdict(row)
    if row.waived is None:
        del fields["waived"]
    return fields


def _commit() -> str | None:
    """The commit that is checked out, with `+` where the tree differs; None outside a checkout."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"],  # noqa: S607 - git from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or None
