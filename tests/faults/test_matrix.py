"""The matrix and its tests say the same."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.matrix import MATRIX


def test_every_row_has_a_test_or_a_reason() -> None:
    """And no test carries an id that the matrix does not have."""
    sources = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_fault_*.py")]
    tested = {found for source in sources for found in re.findall(r"^def test_([PHWL][0-9]{2})_", source, re.MULTILINE)}

    assert tested == {row.id for row in MATRIX if row.not_applicable is None}
    assert len(MATRIX) == 22 + 34 + 16 + 24
