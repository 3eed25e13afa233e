"""A static check is left out only while nothing that its answer depends on has changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local import licences, static_checks
from local.static_checks import Check, run
from local.template import ROOT


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Writes a line each time it runs, and fails while its file says so."""
    monkeypatch.setattr(static_checks, "EXPANDED", tmp_path)
    given, runs = tmp_path / "given", tmp_path / "runs"
    given.write_text("good")
    program = f"open({str(runs)!r}, 'a').write('x'); exit('bad' in open({str(given)!r}).read())"
    return Check(name="one: two", command=(sys.executable, "-c", program), files=(given,))


def times(tmp_path: Path) -> int:
    """How often it ran."""
    return len((tmp_path / "runs").read_text())


def test_it_is_not_run_again_while_nothing_changes(check: Check, tmp_path: Path) -> None:
    """Unless it is asked for anew."""
    assert [run([check], anew=False) for _ in range(3)] == [0, 0, 0]
    assert times(tmp_path) == 1
    assert run([check], anew=True) == 0
    assert times(tmp_path) == 2


def test_a_file_that_changed_is_looked_at(check: Check, tmp_path: Path) -> None:
    """And what failed is never remembered as good."""
    assert run([check], anew=False) == 0
    (tmp_path / "given").write_text("bad")
    assert [run([check], anew=False) for _ in range(2)] == [1, 1]
    assert times(tmp_path) == 3
    (tmp_path / "given").write_text("good")
    assert run([check], anew=False) == 0
    assert times(tmp_path) == 4


def test_what_names_no_files_is_run_each_time(check: Check, tmp_path: Path) -> None:
    """The history is no file."""
    unknown = Check(name="history", command=check.command)
    assert [run([unknown], anew=False) for _ in range(2)] == [0, 0]
    assert times(tmp_path) == 2


def test_another_command_is_another_check(check: Check, tmp_path: Path) -> None:
    """A rule that was switched on is applied to what is there."""
    assert run([check], anew=False) == 0
    stricter = Check(name=check.name, command=(*check.command, "--stricter"), files=check.files)
    assert run([stricter], anew=False) == 0
    assert times(tmp_path) == 2


def test_each_thing_that_is_shipped_has_its_bill_of_materials() -> None:
    """The layer, the ops function and the account exporter: whoever asks what runs is told all of it."""
    made = [check.command for check in static_checks.checks() if check.name.startswith("SBOM")]
    assert {Path(command[-1]).relative_to(ROOT).parent.as_posix() for command in made} == {
        "layers/common",
        "functions/ops",
        "monitoring/account_exporter",
    }
    assert len({command[command.index("-o") + 1] for command in made}) == len(made)
    assert {ROOT / path for path in licences.REQUIREMENTS} == set(static_checks.shipped())
