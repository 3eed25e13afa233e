"""`python -m monitoring.dashboards`: writes the dashboards; commit what it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.boards import BOARDS

FOLDER: Final = Path(__file__).parents[1] / "grafana"


def documents() -> dict[str, str]:
    """The JSON of each dashboard, by its file's name."""
    return {
        f"{name}.json": json.dumps(make(), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"
        for name, make in BOARDS.items()
    }


def main() -> None:
    """Write them."""
    for name, text in documents().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
