"""The translation page in a real browser, as visitors use it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS, teach_tiny_delta

from toolkit.cli.space import page_folder
from toolkit.languages import Language, Names, all_languages

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs pip install axe-playwright-python")
sys.path.insert(0, str(page_folder()))

WAIT_MS = 20_000
URDU = Language(
    code="urd", script="Arab", direction="rtl", iso639_1="ur", names=Names(english="Urdu", own="اردو")
)  # not in the registry: a right-to-left language for this test alone, and one with accents
YORUBA = Language(code="yor", script="Latn", iso639_1="yo", names=Names(english="Lucumi", own="Yorùbá"))


@pytest.fixture(scope="module")
def feedback_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which deltas come while the page is up."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="module")
def settings(
    tiny_base: Path,
    tiny_deltas: dict[str, Path],
    feedback_folder: Path,
    shelf: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """Two word games, a right-to-left one, and a delta that is not there."""
    from settings import Settings

    all_languages()[URDU.code] = URDU
    urdu = teach_tiny_delta(tiny_base, tmp_path_factory.mktemp("urdu") / "urd", "urd", 3)
    deltas = (*map(str, tiny_deltas.values()), str(urdu), "/nowhere/broken")
    yield Settings(base=str(tiny_base), deltas=deltas, folder=shelf, feedback=feedback_folder)
    del all_languages()[URDU.code]


@pytest.fixture(scope="module")
def page_catalogue(settings: Any) -> Any:
    from catalogue import open_catalogue

    return open_catalogue(settings)


@pytest.fixture(scope="module")
def address(settings: Any, page_catalogue: Any) -> Iterator[str]:
    from feedback import open_feedback
    from page import build_page, launch_options

    page = build_page(page_catalogue, open_feedback(settings))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **launch_options())
    yield url
    page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine, and CI must have one: apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page as a new visitor; afterwards no visitor may have met an error or another host."""
    contexts, trouble = [], []

    def open_page(query: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:", "blob:"))
                else trouble.append(f"went to {request.url}")
            ),
        )
        page.goto(address + query)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


def source(page: Any) -> Any:
    return page.locator("#source textarea")


def expect_translation(page: Any, text: str) -> None:
    sync_api.expect(page.locator("#translation textarea")).to_have_value(text, timeout=WAIT_MS)


def choose(page: Any, elem_id: str, typed: str) -> None:
    """Find a language by typing a part of any of its names."""
    field = page.locator(f"#{elem_id} input")
    field.click()
    whole = "id => { const e = document.querySelector(`#${id} input`); return e.selectionEnd - e.selectionStart > 1 }"
    page.wait_for_function(whole, arg=elem_id)
    page.keyboard.type(typed)
    sync_api.expect(page.get_by_role("option")).to_have_count(1)
    page.get_by_role("option").click()


def test_a_visitor_translates_and_reads_who_did(visit: Callable[..., Any]) -> None:
    page = visit()
    sync_api.expect(page.get_by_role("button", name="Translate", exact=True)).to_be_visible()
    source(page).fill("sun.\nmoon.")
    page.locator("#go").click()
    expect_translation(page, "moon.\nriver.")
    sync_api.expect(page.locator("#status")).to_contain_text("tokens/s")
    sync_api.expect(page.locator("#counter")).to_contain_text("10 of 5,000")
    sync_api.expect(page.locator("#facts")).to_contain_text("Basa Jawa adaptation")
    sync_api.expect(page.locator("#notes")).to_contain_text("Left out: broken")


def test_the_base_is_shown_beside_the_adaptation(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_label("Show what the model said before").check()
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    base = page.locator("#base-translation textarea")
    sync_api.expect(base).not_to_have_value("", timeout=WAIT_MS)
    sync_api.expect(base).not_to_have_value("moon.")


def test_swapping_turns_languages_and_texts_round(visit: Callable[..., Any]) -> None:
    page = visit()
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    page.get_by_role("button", name="Swap languages").click()
    sync_api.expect(page.locator("#source-language input")).to_have_value("Basa Jawa · Javanese · Ngoko · jav")
    sync_api.expect(page.locator("#target-language input")).to_have_value("English · eng")
    sync_api.expect(source(page)).to_have_value("moon.")
    page.locator("#go").click()
    expect_translation(page, "sun.")


@pytest.mark.parametrize("typed", ["Basa Sunda", "sundan", "sun"])
def test_a_language_is_found_by_any_of_its_names(visit: Callable[..., Any], typed: str) -> None:
    page = visit()
    choose(page, "target-language", typed)
    sync_api.expect(page.locator("#facts")).to_contain_text("Basa Sunda adaptation")
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "river.")


def test_a_sentence_that_is_too_long_is_told_while_typing_and_nothing_is_lost(visit: Callable[..., Any]) -> None:
    page = visit()
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    long = "sun moon " * 100
    source(page).fill(long)
    sync_api.expect(page.get_by_role("alert")).to_contain_text("One sentence has")
    page.locator("#go").click()
    sync_api.expect(page.get_by_role("alert")).to_contain_text("One sentence has")
    sync_api.expect(source(page)).to_have_value(long)
    expect_translation(page, "moon.")
    source(page).fill("tree. " * 1_000)
    sync_api.expect(page.get_by_role("alert")).to_contain_text("6,000 characters")
    source(page).fill("moon.")
    sync_api.expect(page.get_by_role("alert")).to_have_count(0)
    page.locator("#go").click()
    expect_translation(page, "river.")


def test_the_keyboard_alone_is_enough(visit: Callable[..., Any]) -> None:
    page = visit()
    source(page).focus()
    page.keyboard.type("sun.")
    page.keyboard.press("Control+Enter")
    expect_translation(page, "moon.")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "go"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "swap"
    page.keyboard.press("Enter")
    sync_api.expect(source(page)).to_have_value("moon.")


def test_a_link_opened_fresh_shows_its_translation(visit: Callable[..., Any]) -> None:
    page = visit("?src=eng&tgt=sun&q=sun.%0Amoon.")
    sync_api.expect(source(page)).to_have_value("sun.\nmoon.")
    expect_translation(page, "river.\nstone.")
    sync_api.expect(page.locator("#target-language input")).to_have_value("Basa Sunda · Sundanese · sun")


def test_the_link_that_is_copied_leads_back_here(visit: Callable[..., Any], address: str) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    source(page).fill("cup & book?")
    page.locator("#link").click()
    sync_api.expect(page.locator("#link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = visit(link.removeprefix(address))
    sync_api.expect(source(other)).to_have_value("cup & book?")


@pytest.mark.parametrize("query", ["?src=xxx&tgt=jav&q=sun.", "?src=eng&tgt=eng&q=sun.", "?src=ceb&tgt=tgl&q=sun."])
def test_a_link_to_what_nobody_serves_says_so_and_waits(visit: Callable[..., Any], query: str) -> None:
    page = visit(query)
    sync_api.expect(source(page)).to_have_value("sun.")
    told = page.locator("#problem .problem")
    sync_api.expect(told).to_contain_text("which no model here translates. Chosen instead: English to Basa Jawa.")
    page.wait_for_timeout(500)
    sync_api.expect(told).to_be_visible()
    sync_api.expect(page.locator("#translation textarea")).to_have_value("")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    sync_api.expect(told).to_have_count(0)


def test_a_link_that_names_one_language_opens_with_it(visit: Callable[..., Any]) -> None:
    page = visit("?tgt=jav&q=sun.")
    expect_translation(page, "moon.")
    sync_api.expect(page.locator("#problem .problem")).to_have_count(0)


def test_the_translation_can_be_copied(visit: Callable[..., Any]) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    page.locator("#translation button").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text === 'moon.')")


def test_a_long_translation_can_be_stopped_and_the_text_stays(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_label("Show what the model said before").check()
    text = "\n".join(f"{a} {b} {c}." for a in WORDS[:8] for b in WORDS for c in WORDS[:2])
    source(page).fill(text)
    page.locator("#go").click()
    page.get_by_role("button", name="Stop").click()
    sync_api.expect(page.locator("#status")).to_contain_text("Stopped", timeout=WAIT_MS)
    sync_api.expect(page.locator("#go")).to_be_visible()
    sync_api.expect(source(page)).to_have_value(text)
    source(page).fill("sun.")
    page.locator("#go").click()
    sync_api.expect(page.locator("#status")).to_contain_text("tokens/s", timeout=WAIT_MS)


def test_other_translations_are_shown_on_demand_and_copied_at_a_click(visit: Callable[..., Any]) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    sync_api.expect(page.locator("#more")).to_be_hidden()
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "moon.")
    source(page).fill("typed since")
    page.get_by_role("button", name="Other ways").click()
    first = page.locator(".alternative").first
    sync_api.expect(first).to_have_text("moon.", timeout=WAIT_MS)
    sync_api.expect(page.locator(".certainty").first).to_contain_text("%")
    first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text === 'moon.')")
    source(page).fill("moon.")
    page.locator("#go").click()
    expect_translation(page, "river.")
    sync_api.expect(page.locator(".alternative")).to_have_count(0)


def test_whoever_waits_sees_their_place_and_can_stop(
    visit: Callable[..., Any], address: str, page_catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio_client import Client
    from page import MODEL_QUEUE

    busy = threading.Event()
    stream = type(page_catalogue).stream

    def slow(self: Any, *arguments: Any) -> Iterator[Any]:
        busy.wait(60)
        yield from stream(self, *arguments)

    monkeypatch.setattr(type(page_catalogue), "stream", slow)
    client = Client(address, verbose=False)
    ahead = MODEL_QUEUE["concurrency_limit"] + 2
    jobs = [client.submit("sun.", "eng", "jav", api_name="/translate") for _ in range(ahead)]
    try:
        page = visit(locale="id-ID")
        source(page).fill("sun.")
        page.locator("#go").click()
        sync_api.expect(page.locator("#status")).to_have_attribute("data-place", "Antrean ke-3 dari 3", timeout=WAIT_MS)
    finally:
        busy.set()
    expect_translation(page, "moon.")
    sync_api.expect(page.locator("#status")).to_have_attribute("data-place", "")
    assert [job.result(timeout=60) for job in jobs] == ["moon."] * ahead


def test_what_is_written_and_read_says_its_language(visit: Callable[..., Any]) -> None:
    page = visit()
    sync_api.expect(source(page)).to_have_attribute("lang", "en")
    sync_api.expect(page.locator("#translation textarea")).to_have_attribute("lang", "jv")
    page.locator("#swap").click()
    sync_api.expect(source(page)).to_have_attribute("lang", "jv")
    sync_api.expect(page.locator("#translation textarea")).to_have_attribute("lang", "en")


def test_a_language_that_is_published_meanwhile_is_there_for_the_next_visitor(
    visit: Callable[..., Any], page_catalogue: Any, tiny_base: Path, shelf: Path
) -> None:
    page = visit()
    page.locator("#target-language input").click()
    sync_api.expect(page.get_by_role("option")).to_have_count(3)
    all_languages()[YORUBA.code] = YORUBA
    teach_tiny_delta(tiny_base, shelf / "yor", YORUBA.code, 4)
    page_catalogue.look()
    page = visit()
    choose(page, "target-language", "yoruba")  # without the accents of its own name
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "bird.")
    shutil.rmtree(shelf / "yor")
    page_catalogue.look()
    del all_languages()[YORUBA.code]
    page.locator("#go").click()
    sync_api.expect(page.get_by_role("alert")).to_contain_text("No model here translates", timeout=WAIT_MS)


@pytest.fixture
def own_shelf(tmp_path: Path, tiny_base: Path, tiny_deltas: dict[str, Path]) -> Path:
    """A folder with one delta, of a page that a test has for itself."""
    folder = tmp_path / "own"
    shutil.copytree(tiny_deltas["jav"], folder / "jav")
    return folder


@pytest.fixture
def own_page(browser: Any, own_shelf: Path, tiny_base: Path) -> Iterator[tuple[Any, Any]]:
    """A page of one's own, open in a tab, and its catalogue, of which nothing is loaded yet."""
    from catalogue import foresee
    from settings import Settings
    from space_pages import served

    catalogue = foresee(Settings(base=str(tiny_base), folder=own_shelf, refresh_seconds=0))
    with served(catalogue) as address:
        context = browser.new_context(locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        yield page, catalogue
        context.close()


def ask_for_news(page: Any) -> None:
    """What the browser of a visitor does who comes back to the tab."""
    page.wait_for_timeout(2_100)  # it does not ask more often
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_timeout(500)


def directions(page: Any) -> Any:
    page.get_by_role("tab", name="Languages").click()
    return page.locator("table.scores tbody tr")


def test_a_page_is_there_before_its_model_and_translates_once_that_is_loaded(own_page: tuple[Any, Any]) -> None:
    page, catalogue = own_page
    sync_api.expect(page.locator("#head")).to_contain_text("The model is still loading")
    sync_api.expect(page.locator("#target-language input")).to_have_value("Basa Jawa · Javanese · Ngoko · jav")
    source(page).fill("sun.")
    page.locator("#go").click()
    sync_api.expect(page.locator("#status")).to_contain_text("still loading")
    source(page).fill("typed since")
    catalogue.load_soon()
    expect_translation(page, "moon.")
    sync_api.expect(page.locator("#head")).not_to_contain_text("loading", timeout=WAIT_MS)
    sync_api.expect(source(page)).to_have_value("typed since")


def test_a_model_that_cannot_be_loaded_is_told_on_the_page(
    own_page: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.errors import BaseModelError
    from toolkit.translator import Translator

    def fail(*_: Any, **__: Any) -> None:
        raise BaseModelError("base model /a/b/tiny cannot be loaded: cut")

    monkeypatch.setattr(Translator, "from_pretrained", fail)
    page, catalogue = own_page
    catalogue.load_soon()
    told = page.locator("#head").get_by_role("alert")
    sync_api.expect(told).to_contain_text("base model tiny cannot be loaded: cut", timeout=WAIT_MS)
    source(page).fill("sun.")
    page.locator("#go").click()
    sync_api.expect(page.locator("#problem")).to_contain_text("could not be loaded", timeout=WAIT_MS)
    sync_api.expect(page.locator("#go")).to_be_visible()


def test_an_open_page_learns_of_languages_that_come_and_go_and_nothing_typed_is_disturbed(
    own_page: tuple[Any, Any], own_shelf: Path, tiny_deltas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, catalogue = own_page
    catalogue.load()
    sync_api.expect(page.locator("#head")).not_to_contain_text("loading", timeout=WAIT_MS)
    go_on = threading.Event()
    stream = type(catalogue).stream

    def slow(self: Any, *arguments: Any) -> Iterator[Any]:
        go_on.wait(60)
        yield from stream(self, *arguments)

    with monkeypatch.context() as held:
        held.setattr(type(catalogue), "stream", slow)
        source(page).fill("sun.")
        page.locator("#go").click()
        sync_api.expect(page.locator("#stop")).to_be_visible()
        source(page).fill("half a sen")
        source(page).evaluate("box => box.setSelectionRange(4, 4)")
        shutil.copytree(tiny_deltas["sun"], own_shelf / "sun")
        catalogue.look()
        ask_for_news(page)
        sync_api.expect(source(page)).to_have_value("half a sen")
        assert source(page).evaluate("box => [box.selectionStart, document.activeElement === box]") == [4, True]
        sync_api.expect(page.locator("#stop")).to_be_visible()
        go_on.set()
        expect_translation(page, "moon.")
    sync_api.expect(page.locator("#target-language input")).to_have_value("Basa Jawa · Javanese · Ngoko · jav")
    choose(page, "target-language", "Sunda")
    source(page).fill("sun.")
    page.locator("#go").click()
    expect_translation(page, "river.")
    shutil.rmtree(own_shelf / "sun")
    catalogue.look()
    ask_for_news(page)
    sync_api.expect(page.locator("#problem")).to_contain_text("Basa Sunda is no longer offered here")
    sync_api.expect(page.locator("#target-language input")).to_have_value("Basa Jawa · Javanese · Ngoko · jav")
    sync_api.expect(source(page)).to_have_value("sun.")
    sync_api.expect(directions(page)).to_have_count(2)


def test_nothing_changes_under_the_hand_of_who_chooses_and_a_hidden_tab_does_not_ask(
    own_page: tuple[Any, Any], own_shelf: Path, tiny_deltas: dict[str, Path]
) -> None:
    page, catalogue = own_page
    catalogue.load()
    sync_api.expect(page.locator("#head")).not_to_contain_text("loading", timeout=WAIT_MS)
    page.locator("#target-language input").click()
    sync_api.expect(page.get_by_role("option")).to_have_count(1)
    shutil.copytree(tiny_deltas["sun"], own_shelf / "sun")
    catalogue.look()
    page.wait_for_timeout(2_100)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_timeout(1_000)
    sync_api.expect(page.get_by_role("option")).to_have_count(1)
    source(page).click()
    page.wait_for_timeout(1_000)  # what leaving the list of languages asks
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_timeout(1_000)
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', { value: false })")
    ask_for_news(page)
    sync_api.expect(directions(page)).to_have_count(4)


def test_an_example_is_translated_at_a_click(visit: Callable[..., Any]) -> None:
    page = visit()
    example = page.locator("#examples button").first
    sync_api.expect(example).to_have_text("The farmer is planting corn.")
    example.click()
    sync_api.expect(source(page)).to_have_value("The farmer is planting corn.")
    sync_api.expect(page.locator("#translation textarea")).not_to_have_value("", timeout=WAIT_MS)


def test_right_to_left_text_runs_from_the_right(visit: Callable[..., Any]) -> None:
    page = visit()
    choose(page, "target-language", "urdu")
    sync_api.expect(page.locator("#translation textarea")).to_have_attribute("dir", "rtl")
    sync_api.expect(source(page)).to_have_attribute("dir", "ltr")
    page.locator("#swap").click()
    sync_api.expect(source(page)).to_have_attribute("dir", "rtl")
    sync_api.expect(page.locator("#translation textarea")).to_have_attribute("dir", "ltr")


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}])
def test_all_around_a_right_to_left_text_is_set_for_its_readers(
    visit: Callable[..., Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import examples

    monkeypatch.setitem(examples.EXAMPLES, "urd", ("یہ کافی بہت گرم ہے!",))
    page = visit("?src=eng&tgt=urd&q=sun.", **options)
    expect_translation(page, "stone.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#more").click()
    first = page.locator(".alternative").first
    sync_api.expect(first).to_have_attribute("lang", "ur-Arab", timeout=WAIT_MS)
    alternative, certainty = first.bounding_box(), page.locator(".certainty").first.bounding_box()
    assert certainty["x"] + certainty["width"] <= alternative["x"] + 1, "read from the right"
    page.locator("#suggest button").first.click()
    sync_api.expect(page.locator("#suggestion textarea")).to_have_attribute("dir", "rtl")
    copy = page.locator("#translation button").first.bounding_box()
    name = page.locator("#translation [data-testid='block-info']").bounding_box()
    assert name["x"] + name["width"] < copy["x"], "the page's own words stay at their side"
    sync_api.expect(page.locator("#translation textarea")).to_have_attribute("lang", "ur-Arab")
    sync_api.expect(page.locator("#target-language input")).to_have_attribute("lang", "ur-Arab")
    family = page.locator("#translation textarea").evaluate("box => getComputedStyle(box).fontFamily")
    assert family.startswith('"Noto Nastaliq Urdu"')
    assert violations(page) == []
    page.locator("#swap").click()
    example = page.locator(".example").first
    sync_api.expect(example).to_have_attribute("lang", "ur-Arab")
    assert example.evaluate("button => getComputedStyle(button).unicodeBidi") == "plaintext"
    sync_api.expect(page.locator("#suggestion textarea")).to_have_attribute("dir", "ltr")
    source(page).fill("")
    placeholder = source(page).evaluate("box => getComputedStyle(box, '::placeholder').unicodeBidi")
    assert placeholder == "plaintext"
    page.get_by_role("tab", name="Languages").click()
    name = page.locator("table.scores bdi[lang='ur-Arab']").first
    sync_api.expect(name).to_have_attribute("dir", "rtl")
    sync_api.expect(page.locator("html")).to_have_attribute("lang", "en")


def test_text_is_text_whatever_it_holds(visit: Callable[..., Any]) -> None:
    page = visit("?q=" + "%3Cimg src=x onerror=alert(1)%3E **b** sun." + " moon" * 200)
    sync_api.expect(page.get_by_role("alert")).to_contain_text("<img src=x onerror=alert(1)>", timeout=WAIT_MS)
    assert page.locator("img[src='x']").count() == 0
    source(page).fill("<script>document.title='hacked'</script>")
    page.locator("#go").click()
    sync_api.expect(page.locator("#status")).to_contain_text("tokens/s", timeout=WAIT_MS)
    assert page.title() == "CogSym translator"


def test_two_visitors_at_once_get_their_own_language(visit: Callable[..., Any]) -> None:
    first, second = visit("?src=eng&tgt=jav"), visit("?src=eng&tgt=sun")
    words = [f"{word}." for word in WORDS[:10]]
    for page in (first, second):
        source(page).fill("\n".join(words))
    for page in (first, second):
        page.locator("#go").click()
    expect_translation(first, "\n".join(f"{WORDS[n + 1]}." for n in range(10)))
    expect_translation(second, "\n".join(f"{WORDS[n + 2]}." for n in range(10)))


def test_feedback_is_stored_with_what_it_is_about(visit: Callable[..., Any], feedback_folder: Path) -> None:
    page = visit()
    page.get_by_role("button", name="Good translation").click()
    sync_api.expect(page.locator("#told")).to_contain_text("Translate something first")
    source(page).fill("door.")
    page.locator("#go").click()
    expect_translation(page, "cup.")
    sync_api.expect(page.locator("#go")).to_be_visible()
    source(page).fill("typed since")
    page.get_by_role("button", name="Good translation").click()
    sync_api.expect(page.locator("#told")).to_contain_text("Thank you")
    page.get_by_role("button", name="Suggest a better translation").click()
    sync_api.expect(page.locator("#consent")).to_contain_text("public domain (CC0)")
    sync_api.expect(page.locator("#consent")).to_contain_text("Stored on this machine")
    page.get_by_label("Your translation").fill("lawang.")
    page.get_by_role("button", name="Send").click()
    sync_api.expect(page.locator("#told")).to_contain_text("Thank you")
    page.wait_for_timeout(300)
    rows = [json.loads(line) for line in (feedback_folder / "feedback.jsonl").read_text().splitlines()]
    assert [(row["opinion"], row["text"], row["model_output"], row["suggestion"]) for row in rows] == [
        ("good", "door.", "cup.", None),
        ("suggestion", "door.", "cup.", "lawang."),
    ]


def luminance(page: Any, selector: str, what: str) -> float:
    """0 black to 1 white, of a colour as the browser computed it."""
    colour = page.locator(selector).evaluate("(element, what) => getComputedStyle(element)[what]", what)
    red, green, blue = (int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_visitors_system_and_stay_readable(visit: Callable[..., Any], scheme: str) -> None:
    page = visit(color_scheme=scheme)
    paper = luminance(page, "#card", "backgroundColor")
    assert (paper < 0.2) == (scheme == "dark")
    for selector in ("#source textarea", "#translation textarea", "#source-language input", "#head h1"):
        assert abs(luminance(page, selector, "color") - paper) > 0.6, selector


def test_a_phone_shows_everything_without_sideways_scrolling(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    source(page).fill("sun.")
    page.locator("#go").tap()
    expect_translation(page, "moon.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    top, bottom = page.locator("#source-pane").bounding_box(), page.locator("#target-pane").bounding_box()
    assert bottom["y"] >= top["y"] + top["height"] - 1
    for elem_id in ("go", "swap", "link"):
        box = page.locator(f"#{elem_id}").bounding_box()
        assert 0 <= box["x"] <= 360 - box["width"]


def test_an_indonesian_visitor_reads_indonesian(visit: Callable[..., Any]) -> None:
    page = visit(locale="id-ID")
    sync_api.expect(page.get_by_role("button", name="Terjemahkan", exact=True)).to_be_visible()
    sync_api.expect(page.locator("#head")).to_contain_text("Penerjemah CogSym")
    sync_api.expect(page.locator("#counter")).to_contain_text("0 dari 5.000")
    sync_api.expect(page.locator("html")).to_have_attribute("lang", "id")
    sync_api.expect(page.locator("#facts")).to_contain_text("Diterjemahkan oleh")
    page.locator("#go").click()
    sync_api.expect(page.get_by_role("alert")).to_contain_text("Tulislah sesuatu dulu")


def test_the_other_tabs_list_every_direction(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("tab", name="Languages").click()
    sync_api.expect(page.locator("table.scores tbody tr")).to_have_count(6)
    sync_api.expect(page.locator("table.scores")).to_contain_text("not measured")


def test_every_control_has_a_name_for_screen_readers(visit: Callable[..., Any]) -> None:
    page = visit()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('main button, main input, main textarea')]
        .filter((e) => e.offsetParent && !(e.getAttribute('aria-label') || e.textContent.trim() || e.title ||
          e.labels?.length || e.getAttribute('aria-labelledby')))
        .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


def violations(page: Any) -> list[str]:
    """What axe-core finds serious or critical, in Gradio's own markup, too: nothing is excused."""
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE, {**PHONE, "color_scheme": "dark", "locale": "id-ID"}],
    ids=["light", "dark", "phone", "phone-dark-indonesian"],
)
def test_axe_finds_nothing_serious(visit: Callable[..., Any], options: dict[str, Any]) -> None:
    page = visit(**options)
    page.locator("#compare input").check()
    source(page).fill("sun.\nmoon.")
    page.locator("#go").click()
    sync_api.expect(page.locator("#more")).to_be_visible(timeout=WAIT_MS)
    page.locator("#more").click()
    sync_api.expect(page.locator(".alternative").first).to_be_visible(timeout=WAIT_MS)
    page.locator("#suggest button").first.click()
    assert violations(page) == []
    source(page).fill("tree. " * 1_000)
    sync_api.expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    for place in (1, 2):
        page.get_by_role("tab").nth(place).click()
        page.wait_for_timeout(200)
        assert violations(page) == []
