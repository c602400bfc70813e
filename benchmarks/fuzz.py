"""`python -m benchmarks.fuzz --files N`: both importers on thousands of damaged files.

Prints what was taken, refused, and the slowest file; see `tests.support.importer_fuzzing`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.importer_fuzzing import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    began = time.monotonic()
    try:
        counts, slowest = fuzz(options.files, options.seed, folder)
    except Exception:
        print(f"failed; the file is in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)
    counts_text = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
    print(f"{options.files} files in {time.monotonic() - began:.1f} s: {counts_text}")
    print(f"slowest {slowest:.3f} s; no traceback, nothing run, every imported run readable")
    return 0


if __name__ == "__main__":
    sys.exit(main())
