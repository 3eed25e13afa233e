"""The report of a release in headless Chromium: it asks nobody, complains of nothing, and fits telephone and desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import LACK, Browser, chromium
from tests.monitoring_programs import needs
from tests.unit.monoctl.report_world import sample_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs(LACK)

# Every text that can be seen, with its contrast by WCAG 2.2 (1.4.3) against what lies behind it.
CONTRASTS = """(() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(element).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const seen = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest('title, desc, symbol, details:not([open]) > :not(summary)')) continue;
    const style = getComputedStyle(element), back = light(behind(element));
    const ink = light(parts(element instanceof SVGElement ? style.fill : style.color));
    const ratio = (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
    seen.push({text: node.data.trim().slice(0, 40), ratio, size: parseFloat(style.fontSize)});
  }
  return seen;
})()"""
# Labels of one axis that lie on each other cannot be read.
OVERLAPS = """[...document.querySelectorAll('svg.plot')].flatMap(plot => {
  const boxes = [...plot.querySelectorAll('text.label')].map(t => [t.textContent, t.getBoundingClientRect()]);
  const on = ([, a], [, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  return boxes.flatMap((one, i) => boxes.slice(i + 1).filter(other => on(one, other)).map(([text]) => [one[0], text]));
})"""
WIDER = """[...document.body.querySelectorAll('*')].filter(e => !e.closest('.scroll, .sprite')
  && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A release that went well, with Prometheus beside it, and one that was rolled back by people who write markup."""
    return sample_pages(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("name", ["promoted", "rolled_back"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_asks_nobody_and_can_be_read(
    pages: dict[str, Path], browser: Browser, tmp_path: Path, *, name: str, width: int, scheme: str
) -> None:
    """No request but for itself, nothing in the console, nothing wider than the screen, contrast of 4.5 and more."""
    url = pages[name].as_uri()

    page = browser.open(url, width=width, scheme=scheme)

    page.screenshot(tmp_path / f"{name}-{scheme}-{width}.png")
    assert [each for each in page.requests if each not in {url, "data:,"}] == []
    assert page.complaints == []
    assert page.evaluate("[...document.scripts].length") == 0
    assert page.evaluate(WIDER) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True
    assert page.evaluate(OVERLAPS) == []
    texts: list[dict[str, Any]] = page.evaluate(CONTRASTS)
    assert len(texts) > 200
    assert [each for each in texts if each["ratio"] < 4.5] == []
    assert [each for each in texts if each["size"] < 10.9] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(18, 22, 26)") is (scheme == "dark")


def test_what_people_write_is_text(pages: dict[str, Path], browser: Browser) -> None:
    """Markup in reasons, notes and names is shown as it was written: it makes no element and runs nothing."""
    page = browser.open(pages["rolled_back"].as_uri(), width=1400, scheme="light")

    assert page.evaluate("document.querySelectorAll('img, script, [onerror]').length") == 0
    assert "Rolled back" in page.evaluate("document.title")
    assert "<script>document.title='owned'</script>" in page.evaluate("document.querySelector('.facts').textContent")


def test_on_paper_it_is_light_and_nothing_is_cut_off(pages: dict[str, Path], browser: Browser) -> None:
    """Also from a dark desk."""
    page = browser.open(pages["promoted"].as_uri(), width=720, scheme="dark", media="print")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert [each for each in page.evaluate(CONTRASTS) if each["ratio"] < 4.5] == []


def test_every_drawing_says_what_it_shows(pages: dict[str, Path], browser: Browser) -> None:
    """To whoever cannot see it: by its title and its description."""
    page = browser.open(pages["promoted"].as_uri(), width=1400, scheme="light")

    tree = browser.call("Accessibility.getFullAXTree", session=page.session)["nodes"]
    images = [node for node in tree if node.get("role", {}).get("value") in {"image", "img"}]
    drawings = [node["name"]["value"] for node in images if len(node.get("name", {}).get("value", "")) > 40]
    assert len(drawings) == 4
    said = [node["description"]["value"] for node in images if "description" in node]
    assert any("on for 25 % of accounts and 2 allowed" in each for each in said)
    assert any("MonoPipelineLatencySLA: fired 11:10 to 11:23" in each for each in said)
