"""What `docs/comparisons.md` says of the published table is what the program says of it."""

from __future__ import annotations

import re
from pathlib import Path

from postertui.report.page.content import build_page
from tests.support.study_2017 import PUBLISHED, Study2017, every_study

DOCS = Path(__file__).parents[2] / "docs/comparisons.md"


def without_facts(sentence: str) -> str:
    """What two tables of one form have in common: no numbers, names, lists or signs."""
    return re.sub(r"\([^)]*\)|[\d.,%]+|\b[A-Z]\w*(, [A-Z]\w*)*", "_", sentence)


@every_study
def test_the_sentences_of_the_docs(study_2017: Study2017) -> None:
    text = DOCS.read_text()
    part = text.partition("## What they say about the published table")[2].partition("\n## ")[0]
    listed = [line[2:] for line in part.splitlines() if line.startswith("- ")]
    summary = list(build_page(study_2017.table(), title="model_perf.tsv").summary)
    assert len(listed) == len(summary)
    if study_2017 is PUBLISHED:
        assert listed == summary
    for sentence in summary:
        words = without_facts(sentence).split()[:4]
        assert words in [without_facts(line).split()[:4] for line in listed]
