"""`python -m benchmarks.chaos --kills 500 --seed 1`: how training survives kill -9.

See `tests.support.chaos` for what is killed and what is counted. Exit code 1 where anything was
lost, doubled or stuck.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.support.chaos import Chaos

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="work here and leave it for a look")
    arguments = parser.parse_args()
    os.environ["POSTERTUI_TRAINER"] = "tests.support.cheap_trainer:CheapTrainer"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    os.environ["CHEAP_SECONDS"] = "0.01"
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        root = arguments.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        outcome = Chaos(root, arguments.kills, arguments.seed).run()
    print(outcome)
    return int(not outcome.is_sound)


if __name__ == "__main__":
    sys.exit(main())
