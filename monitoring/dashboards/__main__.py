"""`python -m monitoring.dashboards`: writes the dashboards; commit what it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.boards import BOARDS

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

FOLDER: Final = Path(__file__).parents[1] / "grafana"
# The builder writes these for every variable. Grafana's types have them for intervals at most, and there are none.
_NOT_OF_OURS: Final = ("auto", "auto_count", "auto_min", "id")


def documents() -> dict[str, str]:
    """The JSON of each dashboard, by its file's name."""
    return {f"{name}.json": _document(make()) for name, make in BOARDS.items()}


def _document(made: Dashboard) -> str:
    """As Grafana's own types have it (`check_schema.mjs`): nothing is null, panels are numbered."""
    document = _without_nulls(json.loads(json.dumps(made, cls=JSONEncoder)))
    document.pop("style", None)  # of Grafana before 10
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
    for variable in document["templating"]["list"]:
        for name in _NOT_OF_OURS:
            variable.pop(name, None)
    return json.dumps(document, sort_keys=True, indent=2) + "\n"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    """Write them."""
    for name, text in documents().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
