"""Pages in headless Chromium. Without selenium or the browser, a file that imports this is skipped."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

__all__ = ["By", "Keys", "webdriver"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("no Chromium with its driver", allow_module_level=True)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1440,900"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@contextlib.contextmanager
def browser_of(profile: Path) -> Iterator[Any]:
    """Starts a browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def open_page(browser: Any, path: Path, hash_: str = "") -> Any:
    """Opens a page and waits until its script has begun."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(f"file://{path}{hash_}")
    until(browser, "return document.documentElement.dataset.ready !== undefined")
    return browser


def check_quiet(browser: Any, folder: Path) -> None:
    """Checks that nothing was reported since a page was opened, and that no request has left its folder."""
    events = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    requested = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert requested, "the page itself"
    assert [url for url in requested if not url.startswith((f"file://{folder}/", "data:"))] == []
    assert browser.get_log("browser") == []


@contextlib.contextmanager
def on_a_phone_in_the_dark(browser: Any) -> Iterator[None]:
    """Makes the window that of a phone whose owner prefers dark pages."""
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def until(browser: Any, script: str, *arguments: Any) -> None:
    """Waits until a script returns what is true."""
    WebDriverWait(browser, 20, 0.02).until(lambda driver: driver.execute_script(script, *arguments))


def text(browser: Any, selector: str) -> list[str]:
    """Returns the texts of all elements of a selector."""
    return [element.text for element in browser.find_elements(By.CSS_SELECTOR, selector)]


def unnamed_controls(browser: Any) -> tuple[set[str], list[Any]]:
    """Returns the roles of all controls and pictures, and those that have no name for a screen reader."""
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "slider", "combobox", "link", "img", "image"}
    controls = [node for node in nodes if node.get("role", {}).get("value") in roles and not node["ignored"]]
    unnamed = [node for node in controls if not node.get("name", {}).get("value")]
    return {node["role"]["value"] for node in controls}, unnamed
