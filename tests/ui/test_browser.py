"""The page as a person meets it: a real Streamlit process in a real Chromium."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.small_bundle import picture_of
from tests.ui.browser import CHROMIUM, chromium, served, settled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium fonts-noto-cjk"),
]
WIDTHS = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 800, "height": 900}}
PAGES = {
    "home": "/",
    "search": "/search?scenario=shop&q=green+lamp",
    "support": "/search?scenario=support&q=%E6%80%8E%E4%B9%88%E9%80%80%E8%B4%A7",
    "predict": "/predict?scenario=shop&q=green+lamp",
    "runs": "/runs",
    "run": "/runs?run=shop/run-done",
    "serving": "/serving",
    "release": "/release?scenario=shop",
}


@pytest.fixture(scope="module")
def address(released_home):
    with served(released_home) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser, address):
    opened = browser.new_page(viewport=WIDTHS["wide"], base_url=address)
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


def visit(page, path):
    page.goto(path)
    settled(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_an_error_at_both_widths(name, page, tmp_path):
    faults = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    visit(page, PAGES[name])
    for width, size in WIDTHS.items():
        page.set_viewport_size(size)
        page.screenshot(path=tmp_path / f"{name}-{width}.png")
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels too wide for {width}"
    assert faults == []


def test_words_find_an_item_with_its_picture(page):
    visit(page, "/search")
    page.get_by_label("Words").first.fill("Red wall clock")
    page.get_by_label("Words").first.press("Enter")
    first = page.locator(".st-key-hit_0")
    expect(first).to_contain_text("Red wall clock")
    expect(first.locator("img")).to_be_visible()
    assert first.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 96
    expect(page).to_have_url(re.compile("q=Red"))


def test_a_picture_finds_its_item(page):
    visit(page, "/search?scenario=shop&by=Picture")
    picture = {"name": "p.png", "mimeType": "image/png", "buffer": picture_of("p07")}
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.locator(".st-key-hit_0")).to_contain_text("Yellow kitchen chair")


def test_a_reload_loses_nothing(page):
    visit(page, "/runs")
    page.locator(".st-key-run_run-done").get_by_role("button").click()
    expect(page.get_by_text("640 of 640 rows")).to_be_visible()
    expect(page).to_have_url(re.compile("run=shop"))
    page.reload()
    settled(page)
    expect(page.get_by_text("640 of 640 rows")).to_be_visible()
    page.get_by_role("button", name="All runs").click()
    expect(page.locator(".st-key-run_run-done")).to_be_visible()
    expect(page).not_to_have_url(re.compile("run=shop"))


def test_a_card_leads_to_its_search(page):
    visit(page, "/")
    page.locator(".st-key-card_support").get_by_role("link", name="Search").click()
    expect(page.get_by_role("heading", name="Search")).to_be_visible()
    expect(page).to_have_url(re.compile("scenario=support"))
    expect(page.get_by_label("Application")).to_have_value("A help desk in two languages (support)")
