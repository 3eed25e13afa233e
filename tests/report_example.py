"""Pictures of a release's report for docs/release.md: `make report-example`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.browser import LACK, chromium
from tests.unit.monoctl.report_world import sample_pages

FOLDER: Final = Path(__file__).parents[1] / "docs" / "release-report"
# a picture by its name: how wide the screen is, in which scheme, and from which part of the page on
PICTURES: Final = {"desk": (1100, "light", "header"), "telephone": (400, "dark", "#latency")}


def main() -> None:
    """Write them over the old ones."""
    if LACK:
        raise SystemExit(LACK)
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, chromium(Path(folder) / "profile") as browser:
        page = sample_pages(Path(folder))["promoted"]
        for name, (width, scheme, part) in PICTURES.items():
            shown = browser.open(page.as_uri(), width=width, scheme=scheme)
            shown.evaluate(f"document.querySelector('{part}').scrollIntoView()")
            shown.screenshot(FOLDER / f"{name}.png", whole=False)


if __name__ == "__main__":
    main()
