"""What `docs/comparisons.md` says of the published table is what the program says of it."""

from __future__ import annotations

from pathlib import Path

from postertui.report.page.content import build_page
from tests.support.analysis_tables import needs_published, published

DOCS = Path(__file__).parents[2] / "docs/comparisons.md"


@needs_published
def test_the_numbers_of_the_docs() -> None:
    text = DOCS.read_text()
    part = text.partition("## What they say about the published table")[2].partition("\n## ")[0]
    listed = [line[2:] for line in part.splitlines() if line.startswith("- ")]
    assert listed == list(build_page(published(), title="model_perf.tsv").summary)
