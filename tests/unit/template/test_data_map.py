"""docs/data-map.md names every table, every retention and every way out of it."""

from __future__ import annotations

import re
from typing import Final

from local.template import ROOT
from mono_pipeline.usecases.maintenance import ROWS_AT_ONCE

PAGE: Final = (ROOT / "docs" / "data-map.md").read_text()
MIGRATIONS: Final = "\n".join(path.read_text() for path in sorted((ROOT / "migrations").glob("*.sql")))


def test_every_table_is_on_the_map_and_no_other() -> None:
    """What is stored without a word on it is stored without a reason."""
    held = PAGE.partition("## In the database")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z_]+)` \|", held, re.MULTILINE)
    made = re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)", MIGRATIONS, re.MULTILINE)
    gone = re.findall(r"^DROP TABLE (?:IF EXISTS )?([a-z_]+)", MIGRATIONS, re.MULTILINE)
    assert sorted(named) == sorted(set(made) - set(gone))


def test_the_retention_of_the_page_is_the_database_s() -> None:
    """The same kinds, the same days."""
    written = dict(re.findall(r"^\| `([a-z ]+)` \| (\d+) \|", PAGE, re.MULTILINE))
    rules = dict(re.findall(r"^  \('([a-z ]+)', '(\d+) days'\)[,;]$", MIGRATIONS, re.MULTILINE))
    assert written == rules
    assert set(rules) == set(re.findall(r"^    WHEN '([a-z ]+)' THEN$", MIGRATIONS, re.MULTILINE))


def test_the_page_s_figures_are_the_code_s() -> None:
    """Rows a statement."""
    assert f"at most {ROWS_AT_ONCE:,} rows a statement" in PAGE
