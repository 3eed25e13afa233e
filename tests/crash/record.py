"""What crashes came to, as `.local/crash.json`: one part for each scenario, put together as they end."""

from __future__ import annotations

import fcntl
import json
from typing import Any, Final

from local.results import STATE, ResultRow, write_results
from tests.crash.scenarios import SCENARIOS

PARTS: Final = STATE / "crash"
NAMES: Final = {scenario.name for scenario in SCENARIOS}


def keep(scenario: str, **figures: Any) -> None:
    """Keep a scenario's figures; several processes may do so at once."""
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        part = PARTS / f"{scenario.replace(' ', '_')}.json"
        part.write_text(json.dumps({"scenario": scenario, **figures}), encoding="utf-8")
        parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PARTS.glob("*.json"))]
        write_results("crash", _rows([part for part in parts if part["scenario"] in NAMES]))


def _rows(parts: list[dict[str, Any]]) -> list[ResultRow]:
    violations = sum(part["violations"] for part in parts)
    pages = max(part["pages_again"] for part in parts)
    ticks = max(part["ticks"] for part in parts)
    drawn = " and ".join(sorted({part.get("drawn", "") for part in parts}))
    rows = [
        ResultRow(id="scenarios", what="scenarios", value=len(parts), goal=6, ok=len(parts) >= 6),
        ResultRow(id="drawn", what="how the points were chosen", value=drawn),
        ResultRow(id="points", what="points played", value=sum(part["points"] for part in parts)),
        ResultRow(id="all points", what="points that there are", value=sum(part["of"] for part in parts)),
        ResultRow(id="violations", what="points with a violation", value=violations, goal=0, ok=violations == 0),
        ResultRow(id="pages again", what="most pages read again", value=pages, goal=2, ok=pages <= 2),
        ResultRow(id="ticks", what="most ticks until all was as undisturbed", value=ticks, goal=2, ok=ticks <= 2),
    ]
    return rows + [
        ResultRow(
            id=part["scenario"],
            what=f"points of {part['of']} at {part['calls']} calls, {part['seconds']} s",
            value=part["points"],
        )
        for part in parts
    ]
