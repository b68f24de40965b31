"""The report in a real browser: a quiet console, nothing asked of a network, readable at every width and on paper."""

from __future__ import annotations

import itertools
import re
import time

import pytest
import run_logs

from bertbuild.report.html.evidence import gather
from bertbuild.report.html.log import read_log
from bertbuild.report.html.page import page
from bertbuild.report.html.run import run_of
from bertbuild.store.store import Store

pytestmark = pytest.mark.browser

PLAYED = {
    "ordinary": (run_logs.ordinary, "result", False),
    "failing": (run_logs.failing, "error", False),
    "torn": (run_logs.ordinary, "", True),
    "large": (run_logs.large, "result", False),
}
MOST_SECONDS, MOST_BYTES = 3.0, 3_000_000
FOLDED = "return document.querySelectorAll('details:not([open])').length"


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """The page of each played run, as bytes."""
    made = {}

    def make(name):
        if name not in made:
            jobs_of, ending, torn = PLAYED[name]
            run_id, jobs = jobs_of()
            lines = run_logs.play(run_id, jobs, ending=ending)
            store = Store(tmp_path_factory.mktemp(name))
            run_logs.write(store.root, run_id, lines[:180] if torn else lines, jobs, torn=torn)
            run = run_of(run_id, read_log(store.root / "runs" / f"{run_id}.jsonl"))
            made[name] = page(run, gather(run, store)).encode()
        return made[name]

    return make


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_a_page_is_quiet_asks_for_nothing_and_fits_its_window(browser, served, pages, name, width, dark):
    url = served.serve(pages(name))
    browser.look(url, width, dark=dark)
    overflow = browser.run(
        "document.querySelectorAll('details').forEach(one => one.open = true);"
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow == 0
    assert browser.console() == []
    assert browser.asked() == [url]
    assert served.asked == ["/report.html"]
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert "run 2025" in browser.run("return document.title")


def test_words_of_a_log_stay_words(browser, served, pages):
    browser.look(served.serve(pages("failing")))
    assert "bitten" not in browser.run("return document.title")
    assert browser.run("return document.scripts.length") == 1
    assert browser.run("return document.images.length") == 0
    assert "<img src=x onerror" in browser.run("return document.querySelector('pre').textContent")
    assert "<script>document.title" in browser.run("return document.querySelector('details.model summary').textContent")


def test_the_policy_lets_no_other_script_run(browser, served, pages):
    bitten = pages("ordinary").replace(b"</main>", b"<script>document.title = 'bitten'</script></main>")
    browser.look(served.serve(bitten))
    assert browser.run("return document.title") != "bitten"
    assert any("Content Security Policy" in message for message in browser.console())


def test_200_targets_load_quickly(browser, served, pages):
    url = served.serve(pages("large"))
    assert len(served.page) < MOST_BYTES
    started = time.monotonic()
    browser.look(url)
    assert browser.run("return document.readyState") == "complete"
    assert time.monotonic() - started < MOST_SECONDS
    assert browser.run("return document.querySelectorAll('#target-table tbody tr').length") == 200
    assert browser.run("return document.querySelectorAll('details.model[open]').length") == 0
    assert browser.run("return document.documentElement.scrollHeight") < 9000  # folded, so that it can be looked over


SORTED = """
const table = document.getElementById('job-table');
const heads = [...table.tHead.rows[0].cells];
const column = heads.findIndex((one) => one.textContent === arguments[0]);
heads[column].querySelector('button').click();
const figures = [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.sort));
return [figures, table.querySelector('[aria-sort]').getAttribute('aria-sort')];
"""


def test_columns_sort_by_their_figures(browser, served, pages):
    browser.look(served.serve(pages("failing")))

    def sorted_by(column):
        return browser.run(SORTED, column)

    figures, told = sorted_by("ran")
    assert [figures, told] == [sorted(figures), "ascending"]
    assert len(set(figures)) > 5
    assert sorted_by("ran") == [sorted(figures, reverse=True), "descending"]
    browser.run("document.querySelector('#target-table thead button').click()")
    models = browser.run("return [...document.querySelectorAll('#target-table tbody th')].map(one => one.textContent)")
    assert models == sorted(models)
    assert len(set(models)) == 2


def test_a_bar_says_what_its_job_waited_for_to_mouse_and_keyboard(browser, served, pages):
    browser.look(served.serve(pages("ordinary")))
    stops = browser.run("return [...document.querySelectorAll('.bar')].map(one => one.getAttribute('tabindex'))")
    assert (stops[0], set(stops[1:])) == ("0", {"-1"})  # one stop for Tab
    told = browser.run(
        "const bar = document.querySelectorAll('.bar')[7]; bar.focus();"
        "return document.getElementById('told').textContent"
    )
    assert re.search(r"ready at .* when minilm/import ended; waited .* for a slot, until minilm/freeze ended", told)
    needed = browser.run("return document.querySelector('.bar.needed').dataset.job")
    assert needed == "minilm/import"
    moved = browser.run(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));"
        "return [document.activeElement === document.querySelectorAll('.bar')[8],"
        " document.getElementById('told').textContent.startsWith('9. ')]"
    )
    assert moved == [True, True]
    row = browser.run("return document.querySelector(document.activeElement.getAttribute('href')).textContent")
    assert row.strip().startswith("9")


def test_a_link_unfolds_what_it_leads_to(browser, served, pages):
    browser.look(served.serve(pages("large")))
    seen = browser.run(
        "const link = document.querySelector('#target-table tbody a'); link.click();"
        "const place = document.querySelector(link.getAttribute('href'));"
        "return new Promise(done => setTimeout(() => done("
        "[place.checkVisibility(), Math.abs(place.getBoundingClientRect().top) < 900]), 100))"
    )
    assert seen == [True, True]


def test_on_paper_all_is_unfolded_and_afterwards_folded_again(browser, served, pages):
    browser.look(served.serve(pages("ordinary")))
    folded = browser.run(FOLDED)
    assert folded > 5
    few = browser.printed()
    assert few.startswith(b"%PDF")
    assert browser.run(FOLDED) == folded
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    shown = browser.run(
        "return [...document.querySelectorAll('details.figures td')].every(one => one.checkVisibility())"
    )
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": []})
    assert shown
    assert not browser.run("return document.querySelector('details.figures:not([open]) td').checkVisibility()")


def test_the_page_is_whole_without_its_script(browser, served, pages):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.look(served.serve(pages("torn")))
        text = browser.driver.find_element("tag name", "body").text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "No result. The log stops without one" in text
    assert "One line of the log cannot be read" in text
    assert "mrpc/finetune had run for" in text


CONTRAST = """
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = parts(colour).map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (parts(colour)[3] !== 0) return colour;
  }
};
const ratio = (one, other) => {
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const found = new Set();
for (const element of document.querySelectorAll('body *')) {
  const words = [...element.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
  if (!words || !element.checkVisibility() || element.closest('script')) continue;
  const style = getComputedStyle(element);
  const box = element.localName === 'text' && element.parentElement.querySelector('rect');
  const bar = box && element.closest('.bar, .node');
  const under = bar ? getComputedStyle(box).fill : behind(element);
  const over = element.localName === 'text' ? style.fill : style.color;
  if (ratio(over, under) < 4.5) found.add(`${element.localName}.${element.getAttribute('class')}: ${over} on ${under}`);
}
return [...found];
"""


@pytest.mark.parametrize("dark", [False, True])
def test_all_words_stand_out_from_what_is_behind_them(browser, served, pages, dark):
    browser.look(served.serve(pages("failing")), dark=dark)
    assert browser.run(CONTRAST) == []


UNNAMED = """
const named = (one) => one.getAttribute('aria-label') || one.querySelector(':scope > title')
  || document.getElementById(one.getAttribute('aria-labelledby'));
const boxes = [...document.querySelectorAll('[role=region], [role=group], section, nav')];
const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
return {
  pictures: [...document.querySelectorAll('svg:not([aria-hidden])')].filter((one) => !named(one)).length,
  boxes: boxes.filter((one) => !named(one)).length,
  heads: [...document.querySelectorAll('th')].filter((one) => !one.scope).length,
  ids: ids.length - new Set(ids).size,
  landmarks: ['header', 'nav', 'main', 'footer'].map((name) => document.querySelectorAll(name).length),
  levels: [...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.localName[1])),
};
"""


@pytest.mark.parametrize("name", ["ordinary", "failing"])
def test_pictures_boxes_and_tables_are_named(browser, served, pages, name):
    browser.look(served.serve(pages(name)))
    found = browser.run(UNNAMED)
    levels = found.pop("levels")
    assert found == {"pictures": 0, "boxes": 0, "heads": 0, "ids": 0, "landmarks": [1, 1, 1, 1]}
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


OUTSIDE = """
document.querySelectorAll('details').forEach(one => one.open = true);
const found = [];
for (const one of document.querySelectorAll('caption, .caption, .legend, summary')) {
  const box = one.getBoundingClientRect();
  if (box.right > document.documentElement.clientWidth + 0.5) found.push(one.textContent.trim().slice(0, 60));
}
for (const text of document.querySelectorAll('.node text, .bar text')) {
  const box = text.getBBox(), rect = text.parentNode.querySelector('rect').getBBox();
  const inside = box.x >= rect.x && box.x + box.width <= rect.x + rect.width + 0.5;
  if (!inside) found.push(text.textContent + ': ' + (box.x + box.width - rect.x - rect.width).toFixed(1));
}
for (const graph of document.querySelectorAll('svg.graph')) {
  const drawn = graph.querySelector('g').getBBox(), view = graph.viewBox.baseVal;
  if (drawn.x < -4 || drawn.y < -4 || drawn.width > view.width || drawn.height > view.height) found.push('graph');
}
return found;
"""


@pytest.mark.parametrize("name", ["failing", *(pytest.param(one, marks=pytest.mark.whole) for one in sorted(PLAYED))])
def test_captions_fit_a_telephone_and_words_stay_in_their_boxes(browser, served, pages, name):
    browser.look(served.serve(pages(name)), 390)
    assert browser.run(OUTSIDE) == []
