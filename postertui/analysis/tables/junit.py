"""Checks as JUnit XML, which continuous integration shows as tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from postertui.analysis.tables.section import Section, clean


def junit_xml(sections: Sequence[Section]) -> str:
    """One test suite per section and one test case per row.

    Parameters
    ----------
    sections
        Their frames have the columns `name`, `genre`, `failed` and `why`, and perhaps `allowed`:
        what failed and is allowed counts as skipped.
    """
    root = ET.Element("testsuites", name="postertui check")
    for section in sections:
        rows = list(section.frame.iter_rows(named=True))
        suite = ET.SubElement(
            root,
            "testsuite",
            name=clean(section.title),
            tests=str(len(rows)),
            failures=str(sum(row["failed"] for row in rows)),
            skipped=str(sum(bool(row.get("allowed")) for row in rows)),
        )
        for row in rows:
            name = " ".join(filter(None, (row["genre"], row.get("requirement"))))
            case = ET.SubElement(suite, "testcase", classname=clean(row["name"]), name=clean(name))
            if row["failed"]:
                ET.SubElement(case, "failure", message=clean(row["why"]))
            elif row.get("allowed"):
                ET.SubElement(case, "skipped", message=clean(f"allowed: {row['why']}"))
        if section.notes:
            output = ET.SubElement(suite, "system-out")
            output.text = "\n".join(map(clean, section.notes))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")
