"""The page in a real Chromium: it renders, sorts, filters, and is accessible."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from postertui.report.page.files import write_page
from tests.support.pages import NASTY, make_page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER and find_spec("selenium")),
        reason="needs chromium, chromedriver and selenium",
    ),
]

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",  # a container's root has none
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(argument)
    # Chromium makes a socket in the temporary folder, and a socket's path may not be long.
    environment = {**os.environ, "TMPDIR": "/tmp"}
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER, env=environment))
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    return write_page(make_page(folder), folder, ["html"])[0].as_uri()


@pytest.fixture
def page(browser: Chrome, address: str) -> Iterator[Chrome]:
    """The page, freshly loaded; whatever the test did, the console stays empty."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    for log in ("browser", "performance"):
        read_log(browser, log)  # what was there before
    browser.get(address)
    yield browser
    assert read_log(browser, "browser") == []


def read_log(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What was logged since it was last read."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def table(page: Chrome, chapter: str, caption: str) -> WebElement:
    requests = page.execute_script(
        "return [...document.querySelectorAll(`section[aria-labelledby='${arguments[0]}'] table`)]"
        ".find(t => t.caption.textContent.startsWith(arguments[1]))",
        chapter,
        caption,
    )
    assert requests is not None
    return requests  # type: ignore[no-any-return]


def column(page: Chrome, of: WebElement, number: int) -> list[str]:
    """The texts of a column's cells, of the rows that are shown."""
    return page.execute_script(  # type: ignore[no-any-return]
        "return [...arguments[0].tBodies[0].rows].filter(r => !r.hidden)"
        ".map(r => r.cells[arguments[1]].textContent)",
        of,
        number,
    )


def head(of: WebElement, heading: str) -> tuple[int, WebElement]:
    from selenium.webdriver.common.by import By

    heads = of.find_elements(By.TAG_NAME, "th")
    number = [h.text for h in heads].index(heading)
    return number, heads[number]


def axe(page: Chrome) -> list[dict[str, Any]]:
    """What axe-core finds wrong with the page as it is."""
    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("needs axe-core-python")
    page.execute_script((Path(package.origin).parent / "axe.min.js").read_text("utf-8"))
    result = page.execute_async_script("axe.run(document).then(arguments[0])")
    # Had it not run, there would be nothing wrong either.
    assert len(result["passes"]) > 20
    return [
        {"rule": v["id"], "nodes": [n["html"] for n in v["nodes"]]} for v in result["violations"]
    ]


def test_it_renders_and_asks_nobody_for_anything(page: Chrome, address: str) -> None:
    assert NASTY in page.title
    widths = page.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert widths == [640, 640]
    events = [json.loads(entry["message"])["message"] for entry in read_log(page, "performance")]
    requests = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert {url for url in requests if url.startswith("file:")} <= {address}
    cells = column(page, table(page, "settings", "Variants"), 0)
    assert NASTY in cells


def test_a_click_sorts_and_another_turns_it_round(page: Chrome) -> None:
    from selenium.webdriver.common.by import By

    variants = table(page, "compare", "Variants against base")
    number, mean = head(variants, "mean")
    assert mean.get_attribute("aria-sort") is None
    button = mean.find_element(By.TAG_NAME, "button")
    for order, is_descending in (("ascending", False), ("descending", True)):
        button.click()
        assert mean.get_attribute("aria-sort") == order
        texts = column(page, variants, number)
        values = [float(text) for text in texts if text != "–"]  # noqa: RUF001
        assert values == sorted(values, reverse=is_descending)
        assert len(values) == len(texts) - 1
        assert texts[-1] == "–"  # noqa: RUF001 (a dead run has no mean: last either way)
    _, name = head(variants, "variant")
    name.find_element(By.TAG_NAME, "button").click()
    assert mean.get_attribute("aria-sort") is None


def test_numbers_sort_as_numbers_and_words_as_words(page: Chrome) -> None:
    from selenium.webdriver.common.by import By

    genres = table(page, "leaderboard", "Genre by genre")
    page.execute_script("arguments[0].closest('details').open = true", genres)
    for heading, key in (("behind", float), ("genre", str.casefold)):
        number, th = head(genres, heading)
        th.find_element(By.TAG_NAME, "button").click()
        texts = column(page, genres, number)
        convert: Callable[[str], Any] = key
        assert [convert(t) for t in texts] == sorted(convert(t) for t in texts)


def test_a_filter_keeps_the_rows_with_all_its_words(page: Chrome) -> None:
    from selenium.webdriver.common.by import By

    genres = table(page, "leaderboard", "Genre by genre")
    page.execute_script("arguments[0].closest('details').open = true", genres)
    number, variant = head(genres, "variant")
    everything = len(column(page, genres, number))
    block = genres.find_element(By.XPATH, "./ancestor::div[@class='table']")
    field = block.find_element(By.CSS_SELECTOR, "input[type=search]")
    status = block.find_element(By.CSS_SELECTOR, "[role=status]")
    assert status.text == f"{everything} rows"
    field.send_keys("COMEDY l2")
    assert column(page, genres, 0) == ["Comedy"]
    assert column(page, genres, number) == ["l2-1e-4"]
    assert status.text == f"1 of {everything} rows"
    # What is filtered away stays away when the table is sorted.
    variant.find_element(By.TAG_NAME, "button").click()
    assert column(page, genres, number) == ["l2-1e-4"]
    field.clear()
    field.send_keys(" ")
    assert len(column(page, genres, number)) == everything


def test_it_can_be_used_with_the_keyboard_alone(page: Chrome) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key: str) -> None:
        ActionChains(page).send_keys(key).perform()

    press(Keys.TAB)
    assert page.switch_to.active_element.text == "Skip to the report"
    press(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "main"
    variants = table(page, "compare", "Variants against base")
    for _ in range(60):
        press(Keys.TAB)
        focused = page.switch_to.active_element
        if focused.tag_name == "button" and focused.text == "mean":
            break
    else:
        pytest.fail("no heading gets the focus")
    number, mean = head(variants, "mean")
    press(Keys.ENTER)
    assert mean.get_attribute("aria-sort") == "ascending"
    assert column(page, variants, number) != []
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_axe_finds_nothing_wrong(page: Chrome, scheme: str, device: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    if device == "phone":
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert axe(page) == []


def test_a_phone_scrolls_tables_and_not_the_page(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    width, wide = page.execute_script(
        "return [document.documentElement.scrollWidth,"
        " [...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)]"
    )
    assert width == 360
    assert wide


def test_it_prints(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    visible = page.execute_script(
        "return ['nav', '.filter', 'table', 'img'].map("
        "s => getComputedStyle(document.querySelector(s)).display !== 'none')"
    )
    assert visible == [False, False, True, True]
    clipped = page.execute_script(
        "return [...document.querySelectorAll('.scroll')]"
        ".some(e => getComputedStyle(e).overflowX !== 'visible')"
    )
    assert not clipped
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 2
