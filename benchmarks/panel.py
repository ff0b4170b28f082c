"""The caption panel in a real browser over a real store: what a person waits for, by number of images.

    python benchmarks/panel.py [largest number of images]

Pictures are small files of one colour with nine tags beside each, indexed and captioned into a store of their own;
`lorads panel` serves them, Chromium (Playwright, from the extra ``test``) shows them at 1300 x 800. Printed for each
number, times in milliseconds as the page sees them:

- first rows: from asking for the page to the first caption on the screen, of a server that has just been started,
  and again by a reload
- all rows: until the last row has come
- frames a second while scrolling through all of it in 300 steps, the slowest of 20, and the JavaScript heap after it
- an edit: from Enter in the editor to "saved", which is when the store has it
- a filter of three terms over all rows, until the rows that pass are known
- a bulk edit of all captions: its preview, and until it is written, answered and shown

A headless browser without a GPU draws with the processor; its frames are those of the slowest machine.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import load_settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

LARGEST = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
SMALLEST = 1_000
LIBRARY = "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WORDS = (
    *("long hair", "short hair", "smile", "hat", "looking at viewer", "outdoors", "sky", "tree", "dress", "standing"),
    *("sitting", "window", "night", "rain", "red scarf", "glasses", "book", "upper body", "from side", "blush"),
)
ROOT = "const root = document.querySelector('.lorads-panel').shadowRoot;"
SCROLL = f"""async () => {{
  {ROOT}
  const list = root.querySelector('.virtual');
  const times = [];
  let last = performance.now();
  for (let step = 0; step <= 300; step += 1) {{
    list.scrollTop = (list.scrollHeight * step) / 300;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
  }}
  times.sort((a, b) => a - b);
  list.scrollTop = 0;
  return [times.reduce((a, b) => a + b) / times.length, times[Math.floor(times.length * 0.95)],
    performance.memory.usedJSHeapSize];
}}"""
EDIT = f"""async () => {{
  {ROOT}
  const area = root.querySelector('textarea[role=combobox]');
  const start = performance.now();
  area.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true }}));
  while (root.querySelector('textarea[role=combobox]') || root.querySelector('.state').textContent !== 'saved') {{
    await new Promise((ready) => setTimeout(ready, 1));
  }}
  return performance.now() - start;
}}"""
FILTER = f"""async (text) => {{
  {ROOT}
  const box = root.querySelector('input[aria-label=Filter]');
  box.value = text;
  const start = performance.now();
  box.dispatchEvent(new InputEvent('input', {{ bubbles: true }}));
  await Promise.resolve();
  return [performance.now() - start, root.querySelector('#filter-says').textContent];
}}"""
UNTIL = f"""async ([click, selector, text]) => {{
  {ROOT}
  const start = performance.now();
  root.querySelector(click)?.click();
  while (![...root.querySelectorAll(selector)].some((each) => each.textContent.includes(text))) {{
    await new Promise((ready) => setTimeout(ready, 1));
  }}
  return performance.now() - start;
}}"""


def png(colour: tuple[int, int, int]) -> bytes:
    """Return a picture of 1024 x 1024 pixels of one colour, some hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1024, 1024, 1, 3, 0, 0, 0)) + chunk(b"PLTE", bytes(colour))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", ROWS) + chunk(b"IEND", b"")


ROWS = zlib.compress(bytes(129 * 1024))


def make_pictures(folder: Path, count: int) -> None:
    """Write pictures, no two alike, with captions beside them."""
    for number in range(count):
        part = folder / f"{number // 1000:03}"
        part.mkdir(exist_ok=True)
        colour = (number % 256, number // 256 % 256, 60 + number // 65536)
        (part / f"{number:06}.png").write_bytes(png(colour))
        words = [WORDS[(number * step + step) % len(WORDS)] for step in (1, 3, 7, 9, 11, 13, 17, 19)]
        (part / f"{number:06}.txt").write_text(", ".join(dict.fromkeys(words)), encoding="utf-8")


def make_dataset(settings_file: Path, folder: Path, name: str) -> None:
    """Index the pictures and caption a dataset of them."""
    settings = load_settings(settings_file)
    with build.open_store(settings) as store:
        build.index(store, settings, LIBRARY, folder)
        library = build.open_library(store, settings, LIBRARY)
        wanted = DatasetFilter(folders=(str(folder.resolve()),))
        dataset = build.query(store, library, name, wanted).dataset
        captioning.caption(store, settings, dataset, caption_settings("sidecar", (), "oldlandmark", "prepend", "sdxl"))


def measure(page: Page, url: str, count: int) -> None:
    """Print what a person waits for."""
    started = time.perf_counter()
    page.goto(url)
    page.locator(".caption-row").first.wait_for()
    first = time.perf_counter() - started
    page.locator("#filter-says").get_by_text(f"{count:,} images", exact=True).wait_for(timeout=120_000)
    whole = time.perf_counter() - started
    started = time.perf_counter()
    page.reload()
    page.locator(".caption-row").first.wait_for()
    again = time.perf_counter() - started
    page.locator("#filter-says").get_by_text(f"{count:,} images", exact=True).wait_for(timeout=120_000)
    page.wait_for_timeout(1500)  # the summary is worked out meanwhile
    mean, slow, heap = page.evaluate(SCROLL)
    page.locator(".captions").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.type(", by hand")
    edited = page.evaluate(EDIT)
    filtered, says = page.evaluate(FILTER, "tag:hat -tag:smile tokens:>10")
    page.evaluate(FILTER, "")
    page.get_by_role("button", name="Bulk edit").click()
    page.locator("dialog select").nth(1).select_option("all")
    page.get_by_label("Tags several by comma").fill("evening light")
    page.evaluate(UNTIL, ["nothing", ".preview strong", f"{count - 1:,}"])
    page.locator("dialog select").nth(2).select_option("back")
    preview = page.evaluate(UNTIL, ["nothing", ".preview strong", f"{count - 1:,}"])
    bulk = page.evaluate(UNTIL, ["dialog button[type=submit]", ".notice span", "Done: "])
    print(f"{count:7,} images   first rows {first * 1e3:5.0f}, again {again * 1e3:5.0f}", end="   ")
    print(f"all rows {whole * 1e3:6.0f}   scrolling {1000 / mean:3.0f} frames/s, 1 of 20 takes {slow:3.0f}", end=", ")
    print(f"heap {heap / 1e6:4.0f} MB   edit {edited:4.0f}   filter {filtered:4.0f}", end=" ")
    print(f"({says.split(' of ')[0].strip()} pass)   bulk: preview {preview:5.0f}, done {bulk:6.0f}", flush=True)


def serve(settings_file: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the panel; return its process and address."""
    words = [sys.executable, "-m", "lorads_core", "panel", "--no-browser", "--settings", str(settings_file)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout or ():
        found = next((word for word in line.split() if word.startswith("http://")), None)
        if found:
            return process, found
    raise SystemExit("lorads panel has ended; it says why above.")


def main() -> None:
    """Print a line for each number of images."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name, sync_playwright() as playwright:
        root = Path(name).resolve()
        root.chmod(0o755)  # as root the store's server runs as another user
        flags = ["--disable-gpu", "--enable-precise-memory-info", "--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        count = SMALLEST
        while count <= LARGEST:
            folder = root / f"of {count}"
            (folder / "pictures").mkdir(parents=True)
            settings_file = folder / "lorads.toml"
            settings_file.write_text(f"[embedded]\nfolder = '{root / 'store'}'\n", encoding="utf-8")
            make_pictures(folder / "pictures", count)
            make_dataset(settings_file, folder / "pictures", f"of {count}")
            process, url = serve(settings_file)
            page = browser.new_page(viewport={"width": 1300, "height": 800})
            measure(page, url, count)
            page.close()
            process.terminate()
            process.wait()
            count *= 10
        browser.close()


if __name__ == "__main__":
    main()
