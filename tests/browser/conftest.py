"""A browser for this folder's tests, and the panel over real datasets."""

import pytest

from lorads_core.settings import Settings
from lorads_core.store.connect import Store

from .chromium import launched
from .world import World, make_dataset, make_pictures


@pytest.fixture(scope="module")  # while it is open, no other test of this thread can run an event loop
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="session")
def made(filled, make_folder):
    """Return a function that makes a dataset once, and returns it with the name of its database, to be copied."""
    known = {}

    def fill(conninfo, folder):
        with Store.open(conninfo) as store:
            return make_dataset(store, Settings(), folder)

    def make(count, **how):
        mark = (count, *sorted(how.items()))
        if mark not in known:
            folder, datasets = make_folder(), []
            make_pictures(folder, count, **how)
            name = filled(lambda conninfo: datasets.append(fill(conninfo, folder)))
            known[mark] = (name, *datasets)
        return known[mark]

    return make


@pytest.fixture
def make_world(made, new_database, make_folder):
    """Return a function that makes a world of so many images, in a database of its own."""
    opened = []

    def make(count=300, panel=None, **how):
        name, dataset = made(count, **how)
        database = new_database(name)
        store = Store.open(database.__enter__())
        world = World(store, dataset, make_folder(), **(panel or {}))
        opened.append((world, store, database))
        return world

    yield make
    for world, store, database in reversed(opened):
        world.close()
        store.close()
        database.__exit__(None, None, None)


class Opened:
    """The panel as a page of its own, and what stands behind it; ``tab`` opens another tab beside it."""

    def __init__(self, browser, world, **options):
        self.world = world
        self.context = browser.new_context(**{"viewport": {"width": 1300, "height": 800}, **options})
        self.faults = []
        self.posted = []
        self.page = self.tab()

    def tab(self):
        page = self.context.new_page()
        page.on("request", lambda request: request.method == "POST" and self.posted.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(self.world.url)
        page.locator(".app").wait_for()
        return page

    def row(self, number, page=None):
        return (page or self.page).locator(f"[id='row-{self.world.key(number)}']")

    def edit(self, number, text, page=None):
        """Write a caption as a user does: double-click, type, Enter."""
        page = page or self.page
        self.row(number, page).locator(".text, .nothing").first.dblclick()
        page.locator("textarea[role=combobox]").fill(text)
        page.keyboard.press("Enter")

    def says(self, text, page=None):
        """Wait until the header says how the edits stand."""
        (page or self.page).locator(".top .state", has_text=text).wait_for()

    def close(self):
        self.context.close()


@pytest.fixture
def opened(browser, make_world):
    """Return a function that opens the panel over a world; at its end nothing may have broken."""
    all_opened = []

    def open_panel(world=None, **options):
        all_opened.append(Opened(browser, world or make_world(), **options))
        return all_opened[-1]

    yield open_panel
    for each in all_opened:
        each.close()
        assert not each.faults


@pytest.fixture
def panel(opened):
    """Return the panel with all rows there, the first ones on the screen."""
    panel = opened()
    panel.row(0).wait_for()
    panel.page.locator("#filter-says").get_by_text("300 images", exact=True).wait_for()
    return panel
