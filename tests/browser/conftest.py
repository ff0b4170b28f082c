"""A browser for this folder's tests."""

import pytest

from .chromium import launched
from .stand_in import World, serve


@pytest.fixture(scope="module")  # while it is open, no other test of this thread can run an event loop
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


class Opened:
    """The panel as a page of its own, and what stands behind it; ``tab`` opens another tab beside it."""

    def __init__(self, browser, world, **options):
        self.world = world
        self.server, self.url = serve(world)
        self.context = browser.new_context(**{"viewport": {"width": 1300, "height": 800}, **options})
        self.faults = []
        self.page = self.tab()

    def tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(self.url)
        page.locator(".app").wait_for()
        return page

    def row(self, number, page=None):
        return (page or self.page).locator(f"[id='row-pictures:{number}']")

    def edit(self, number, text, page=None):
        """Write a caption as a user does: double-click, type, Enter."""
        page = page or self.page
        self.row(number, page).locator(".text, .nothing").first.dblclick()
        page.locator("textarea").fill(text)
        page.keyboard.press("Enter")

    def says(self, text, page=None):
        """Wait until the header says how the edits stand."""
        (page or self.page).locator(".top .state", has_text=text).wait_for()

    def close(self):
        self.context.close()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def opened(browser):
    """Return a function that opens the panel over a world; at its end nothing may have broken."""
    all_opened = []

    def open_panel(world=None, **options):
        all_opened.append(Opened(browser, world or World(), **options))
        return all_opened[-1]

    yield open_panel
    for each in all_opened:
        each.close()
        assert not each.faults


@pytest.fixture
def panel(opened):
    """Return the panel with the first rows on the screen."""
    panel = opened()
    panel.row(0).wait_for()
    return panel
