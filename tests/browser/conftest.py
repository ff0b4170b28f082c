"""A browser for this folder's tests."""

import pytest

from .chromium import launched


@pytest.fixture(scope="module")  # while it is open, no other test of this thread can run an event loop
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()
