"""The helper that asks axe-core: it must find what is wrong, and stay quiet about what is right."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")
from helpers_axe import assert_accessible, breaches
from helpers_browser import running_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium"),
]


def test_axe_finds_a_nameless_button_in_the_part_and_nothing_outside_it() -> None:
    with running_browser() as browser:
        page = browser.new_page()
        page.set_content('<button id="outside"></button><div id="bad"><button></button></div><div id="good">Hi</div>')
        assert [breach.rule for breach in breaches(page, "#bad")] == ["button-name"]
        assert_accessible(page, "#good")
        with pytest.raises(AssertionError, match="button-name"):
            assert_accessible(page, "#bad", "#good")
