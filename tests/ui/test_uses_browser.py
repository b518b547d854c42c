"""The pages Recommend and Ask over a live release, in a real Chromium: lists, exploring with feedback, answers."""

import re

import pytest
from playwright.sync_api import expect

from flows import events
from flows.exploring import log_of
from tests.support.live_wishes import release_wishes
from tests.support.mlflow_store import template
from tests.ui.browser import CHROMIUM, chromium, served
from tests.ui.test_browser import WIDTHS, visit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A state folder with the champion of `wishes`."""
    folder = tmp_path_factory.mktemp("uses_page")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        release_wishes(folder, store=template(tmp_path_factory))
        yield folder / "home"
        events.events_of.cache_clear()


@pytest.fixture(scope="module")
def address(home):
    with served(home) as url:
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


@pytest.mark.parametrize("name", ["recommend", "ask"])
def test_a_page_opens_without_an_error_at_both_widths(name, page):
    visit(page, f"/{name}?scenario=wishes")
    for width, size in WIDTHS.items():
        page.set_viewport_size(size)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels too wide for {width}"


def test_a_user_gets_items_with_reasons_and_a_filter_narrows_them(page):
    visit(page, "/recommend?scenario=wishes&user=u0")
    expect(page.get_by_text("12 items, by 7 events")).to_be_visible()
    expect(page.locator(".st-key-hit_0")).to_contain_text("because of")
    page.get_by_label("Filter").fill("label = 'red_shoe'")
    page.get_by_label("Filter").press("Enter")
    expect(page.locator(".st-key-hit_0")).to_contain_text("red_shoe")
    page.get_by_label("Filter").fill("labl = 'red_shoe'")
    page.get_by_label("Filter").press("Enter")
    expect(page.get_by_text("Did you mean 'label'?")).to_be_visible()


def test_exploring_marks_what_was_drawn_and_takes_feedback(page, home, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(home))
    log = log_of("wishes")
    visit(page, "/recommend?scenario=wishes&user=u1")
    expect(page.get_by_role("button", name="Take it")).to_have_count(0)
    assert log.exposures() == []
    page.get_by_text("Explore", exact=True).click()
    last = page.locator(".st-key-hit_11")
    expect(last).to_contain_text(re.compile(r"explored, drawn with \d+\.\d%"))
    expect(page.get_by_role("button", name="Take it")).to_have_count(1)
    assert len(log.exposures()) == 12
    page.get_by_role("button", name="Take it").click()
    expect(last).to_contain_text("Noted: taken.")
    expect(page.get_by_role("button", name="Take it")).to_have_count(0)
    # Clicks draw no new list, and log none that nobody saw.
    assert len(log.exposures()) == 12
    (drawn,) = [one for one in log.exposures() if one.explored]
    assert log.rewards() == {drawn.id: 1.0}
    page.get_by_role("button", name="Draw again").click()
    page.get_by_role("button", name="Not for me").click()
    expect(last).to_contain_text("Noted: not for this user.")
    assert sorted(log.rewards().values()) == [0.0, 1.0]
    page.get_by_text("What exploring has told so far").click()
    expect(page.get_by_text("too few exposures to tell").first).to_be_visible()
    expect(page.get_by_text("Explored places: taken of 2")).to_be_visible()
    assert b"u1" not in b"".join(path.read_bytes() for path in log.folder.glob("*.json*"))


def test_a_question_is_answered_with_what_it_rests_on(page):
    visit(page, "/ask?scenario=wishes")
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill("my lost card")
    field.press("Enter")
    expect(page.get_by_text("It is about lost_card.")).to_be_visible()
    field.fill("quel temps fait-il")
    field.press("Enter")
    expect(page.get_by_text("A person should answer this.")).to_be_visible()
    page.get_by_role("button", name="Begin anew").click()
    expect(page.get_by_text("It is about lost_card.")).to_have_count(0)
