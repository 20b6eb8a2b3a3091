"""A sweep's report in a browser: the table sorts, and plots and rows of a setting are marked together."""

import itertools

import pytest

from jaxsocial.sweep.report.page import write
from jaxsocial.sweep.report.ranking import About
from tests.browsing import By, browser_of, check_quiet, on_a_phone_in_the_dark, open_page, text, unnamed_controls
from tests.sweep import made_up

HOSTILE = "<script>alert(1)</script>"
VARIED = ("coefficients.learning_rate", "network.channels", "rules.penalty")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("reports")
    table = made_up.drawn(points=4)
    table["network.channels"] = table["network.channels"].replace("8", HOSTILE)
    write(table, About(f"a {HOSTILE} & b", VARIED, "return"), place / "many")
    write(made_up.table([{}], lambda *_: 1.0, 1), About("one", (), "return"), place / "one")
    return place


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browser_of(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser, folder):
    yield lambda name: open_page(browser, folder / name / "report.html")
    check_quiet(browser, folder)


def column(browser, number):
    return text(browser, f"tbody td:nth-child({number})")


def test_the_table_is_sorted_by_numbers_and_names_in_both_directions(opened):
    browser = opened("many")
    assert column(browser, 1) == [str(rank) for rank in range(1, 61)]
    heading = browser.find_elements(By.CSS_SELECTOR, "th button")
    heading[2].click()
    rates = [float(rate) for rate in column(browser, 3)]
    assert rates == sorted(rates)
    assert text(browser, "th[aria-sort=ascending]") == ["learning rate"]
    heading[2].click()
    assert [float(rate) for rate in column(browser, 3)] == rates[::-1]
    heading[3].click()
    channels = column(browser, 4)
    assert len(set(channels)) == 4
    # Equal names stand together.
    assert len([1 for one, other in itertools.pairwise(channels) if one != other]) == 3


def test_a_setting_is_marked_in_plots_and_table_and_held_by_a_click(opened):
    browser = opened("many")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#dots .dot")) == 60
    assert len(browser.find_elements(By.CSS_SELECTOR, "#lines .curve")) == 60
    button = browser.find_elements(By.CSS_SELECTOR, "tbody td button")[2]
    setting = button.text
    button.click()
    marked = browser.find_elements(By.CSS_SELECTOR, ".held")
    assert {element.get_attribute("data-setting") for element in marked} == {setting}
    assert sorted(element.tag_name for element in marked) == ["g", "g", "tr"]
    (said,) = text(browser, "#chosen")
    assert said.startswith(f"Setting {setting}, rank 3: learning rate ")
    # Another field is across, and the setting stays held.
    browser.execute_script("byId('field').selectedIndex = 1; byId('field').dispatchEvent(new Event('change'))")
    assert any(one.startswith("<script>") for one in text(browser, "#dots text"))
    assert len(browser.find_elements(By.CSS_SELECTOR, ".held")) == 3
    target = browser.find_element(By.CSS_SELECTOR, f"#dots [data-setting='{setting}'] .target")
    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', { bubbles: true }))", target)
    assert browser.find_elements(By.CSS_SELECTOR, ".held") == []


def test_dots_are_where_their_numbers_are(opened):
    browser = opened("many")
    found = browser.execute_script("""return data.settings.filter((one) => one.mean !== null).map((one) => {
      const dot = document.querySelector(`#dots [data-setting="${one.setting}"] .dot`);
      return [one.mean, one.positions[0], Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))]; })""")
    low, high = browser.execute_script("return data.limits")
    inside = sorted(row for row in found if low <= row[0] <= high)
    heights = [row[3] for row in inside]
    assert heights == sorted(heights, reverse=True)
    across = [row[2] for row in sorted(found, key=lambda row: row[1])]
    assert across == sorted(across)


def test_a_sweep_of_one_setting_has_a_curve_and_no_dots(opened):
    browser = opened("one")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#lines .curve")) == 1
    assert not browser.find_element(By.ID, "dots").is_displayed()


def test_names_are_text_and_every_control_has_one(opened):
    browser = opened("many")
    assert text(browser, "h1") == [f"a {HOSTILE} & b"]
    assert HOSTILE in column(browser, 4)
    roles, unnamed = unnamed_controls(browser)
    assert roles >= {"button", "combobox"}
    assert unnamed == []


def test_it_fits_a_phone_in_the_dark(opened):
    browser = opened("many")
    background = "return getComputedStyle(document.body).backgroundColor"
    light = browser.execute_script(background)
    with on_a_phone_in_the_dark(browser):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert browser.execute_script(background) != light
