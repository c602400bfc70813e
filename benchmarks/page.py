"""How large the report page of a study is, and how long Chromium takes to open it.

    python -m benchmarks.page TABLE [--figures DIR] [--times 5]

Draws what of the 2017 figures is not in DIR yet (half a minute of processor time for all of them),
writes the page and opens it in a headless Chromium, each time with a cold cache of its own. The
measure is the navigation's `loadEventEnd`: everything parsed, decoded and sortable.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

MOST_BYTES = 3_000_000
MOST_SECONDS = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--figures", type=Path, help="where the figures are or go")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.figures or Path(scratch)
        seconds, cpu = write_page(options.table, out)
        page = out / "index.html"
        size = page.stat().st_size
        opened = [open_page(page) for _ in range(options.times)]
    print(f"figures up to date, page written:  {seconds:5.2f} s, {cpu:.2f} CPU-s")
    print(f"index.html: {size:,} bytes, {size / MOST_BYTES:.2f} of the most it may have")
    median = statistics.median(opened)
    spread = ", ".join(f"{t:.2f}" for t in sorted(opened))
    print(f"opens in {median:.2f} s (median of {spread}), {median / MOST_SECONDS:.2f} of the most")
    return int(size > MOST_BYTES or median > MOST_SECONDS)


def write_page(table: Path, out: Path) -> tuple[float, float]:
    """Draw and write the page; seconds and processor seconds of writing it once more.

    The second time the figures are there, so that it is the page alone that is measured.
    """
    from postertui.cli.report import draw_history
    from postertui.report import ReportRequest

    request = ReportRequest(everything=True, figures=("models",))
    draw_history(table, out, request, pages=["html"])
    began, worked = time.perf_counter(), time.process_time()
    draw_history(table, out, request, pages=["html"])
    return time.perf_counter() - began, time.process_time() - worked


def open_page(page: Path) -> float:
    """Seconds from the start of the navigation to the end of the load event."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.resolve().as_uri())
        script = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
        return float(driver.execute_script(script)) / 1000
    finally:
        driver.quit()


if __name__ == "__main__":
    sys.exit(main())
