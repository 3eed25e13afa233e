"""What a run of the mutants is judged by: what each changes, which modules no test reaches, and what has no reason."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from local.results import passed
from tests.mutation.__main__ import REASONS, result_rows
from tests.mutation.workshop import PACKAGE, Mutant, Workshop

if TYPE_CHECKING:
    from pathlib import Path

SPELLED = """
def x_is_late__mutmut_orig(day, until):
    return day > until

def x_is_late__mutmut_1(day, until):
    return day >= until
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A workshop in which one function of one module was changed, and mutmut has looked which tests reach it."""
    made = Workshop(tmp_path / "home")
    core = made.home / "mutants" / "mono_pipeline" / "core"
    core.mkdir(parents=True)
    (core / "late.py").write_text(SPELLED)
    return made


def mutant(module: str, function: str = "is_late", fate: str = "killed") -> Mutant:
    """The first mutant of a function."""
    return Mutant(
        name=f"mono_pipeline.core.{module}.x_{function}__mutmut_1", module=module, function=function, fate=fate
    )


def reach(workshop: Workshop, *names: str) -> None:
    """Let mutmut have seen that a test calls these functions."""
    reached = {f"mono_pipeline.core.{name}": ["tests/unit/core/test_late.py::test_late"] for name in names}
    told = {"tests_by_mangled_function_name": {**reached, "mono_pipeline.core.early.x_is_early": []}}
    (workshop.home / "mutants" / "mutmut-stats.json").write_text(json.dumps(told))


def test_a_mutant_is_shown_by_the_lines_that_it_changes(workshop: Workshop) -> None:
    """As a diff has them."""
    assert workshop.change(mutant("late")) == "- return day > until\n+ return day >= until"


def test_a_module_that_no_chosen_test_calls_is_named(workshop: Workshop) -> None:
    """One function that is called is enough; what mutmut knows of and no test calls is not."""
    reach(workshop, "late.x_is_late")

    made = [mutant("late"), mutant("late", "is_never_called"), mutant("early", "is_early"), mutant("unheard_of")]

    assert workshop.unreached(made) == ["early", "unheard_of"]


def test_without_a_look_at_the_unchanged_tests_nothing_is_said(workshop: Workshop) -> None:
    """They fail, and mutmut keeps nothing."""
    with pytest.raises(RuntimeError, match="do not pass"):
        workshop.unreached([mutant("late")])


@pytest.mark.parametrize(
    ("killed", "unreached", "unexplained", "whole", "good"),
    [
        (9, (), (), True, True),
        (8, (), (), True, False),
        (9, ("early",), (), False, False),
        (9, (), ("late.is_late",), True, False),
        (9, (), ("late.is_late",), False, True),
    ],
)
def test_a_run_passes_by_its_share_and_by_what_there_must_be_none_of(
    *, killed: int, unreached: tuple[str, ...], unexplained: tuple[str, ...], whole: bool, good: bool
) -> None:
    """A survivor without a reason fails a whole run; a sample has not seen them all."""
    tried = [mutant("late", fate="killed" if place < killed else "survived") for place in range(10)]

    assert passed(result_rows(tried, unreached=unreached, unexplained=unexplained, whole=whole)) is good


def test_every_reason_is_one_of_a_function_that_there_is() -> None:
    """A reason that has outlived its function would cover for the next one of that name."""
    for key, reason in tomllib.loads(REASONS.read_text()).items():
        module, function = re.fullmatch(r"((?:wire\.|flag\.)?[a-z_]+)\.(.+)", key).groups()  # type: ignore[union-attr]
        text = (PACKAGE / "core" / f"{module.replace('.', '/')}.py").read_text()
        assert re.search(rf"^ *def {re.escape(function.rpartition('.')[2])}\(", text, re.MULTILINE), key
        assert reason
