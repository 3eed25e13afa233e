"""The end of a run of tests says of the proof in it how it was sampled and how long it took."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.samples import told

if TYPE_CHECKING:
    import pytest
    from _pytest.terminal import TerminalReporter

PARTS: Final = ("faults", "crash", "sim", "planted")
MOST_MINUTES: Final = 15  # of continuous integration, the sample of mutants included


class ProofTimes:
    """Adds up how long the tests of each part took; with several workers here are the reports of them all."""

    def __init__(self, workers: int) -> None:
        self.seconds: Counter[str] = Counter()
        self._workers = workers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down one phase of a test."""
        folders = report.nodeid.partition("::")[0].split("/")
        if folders[0] == "tests" and folders[1] in PARTS:
            self.seconds[folders[1]] += report.duration

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say it, where there was something of the proof."""
        if not self.seconds:
            return
        terminalreporter.write_line(f"proof: {told()}")
        parts = ", ".join(f"{part} {self.seconds[part]:.0f} s" for part in PARTS if part in self.seconds)
        minutes = self.seconds.total() / self._workers / 60
        terminalreporter.write_line(
            f"proof: {parts} of tests, {minutes:.1f} min on {self._workers} workers "
            f"(with the mutation sample {MOST_MINUTES} at the most)"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Where reports come together: not in a worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ProofTimes(len(config.getoption("tx", None) or []) or 1))
