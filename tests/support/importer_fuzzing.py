"""Both importers on damaged files.

Each file is a good log or table with some bytes changed, cut, doubled or put in from the other. An
importer may take it or say in one line why not; a traceback, CPU-seconds over the limit, or
anything run from the file is a failure.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

from postertui.history.from_runs import history_table
from postertui.history.reading import read_table
from postertui.history.writing import write_table
from postertui.importer import ImportReport, import_paths
from postertui.system.errors import UserError

LIMIT_SECONDS = 5.0

_NAME = "model-1-256-256-history.txt"
_TABLE = (
    b"Regularizer\tFC1\tFC2\tgenre\tvariant\tepoch\ttrain_loss\ttest_fscore\trun\n"
    b"L1=1e-5\t256\t256\tComedy\tbase\t1\t0.5\t0.25\tone\n"
    b"L1=1e-5\t256\t256\tComedy\tbase\t2\tNaN\t0.25\tone\n"
    b'NoReg\t256\t256\t"Drama"\tregularizer\t1\t0.5\tNA\ttwo\n'
)
_LOG = (
    b"{'loss': [0.5, 0.25], 'binary_accuracy': [0.5, nan], 'fscore': [0.5, 0.25],\n"
    b" 'val_loss': [0.5, np.float64(0.25)], 'val_binary_accuracy': [0.5, -inf],"
    b" 'val_fscore': [0.5, 0.25]}Train conf matrix: 9 8 7 6\nTrain p r f: 0.5 0.5 0.5\n"
    b"Train conf matrix: 9 8 7 6\nTrain p r f: 0.5 0.5 0.5\n"
)
_PIECES = (
    b"__import__('os').system('touch RAN')", b"open('RAN','w')", b"(lambda: 0)()", b"[" * 3000,
    b"-" * 3000, b"+1" * 3000, b"9" * 5000, b"1e999", b"9223372036854775808", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\r", b'"', b"'", b"\t" * 50, b"\n\n", b"../../../RAN", b"NaN", b"-1", b"0",
    b"{", b"}", b"\\", b"#", b"f'{open(1)}'", b"\xe2\x80\xae", b"1_0", b"0x", b"=cmd()", b"PAR1",
)  # fmt: skip


def mutate(good: bytes, other: bytes, rng: random.Random) -> bytes:
    """`good` with one to three kinds of damage."""
    data = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.choice((1, 3, 20, 200))]
            case 2:
                data[at:at] = data[at : at + rng.choice((1, 10, 100))] * rng.choice((1, 2, 30))
            case 3:
                data[at:at] = rng.choice(_PIECES)
            case 4:
                data = data[:at]
            case 5:
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randrange(200)]
            case _:
                word = rng.choice((b"0.5", b"256", b"1", b"Comedy", b"loss", b"[", b"]", b"\t"))
                data = bytearray(bytes(data).replace(word, rng.choice(_PIECES)[:40], 1))
    return bytes(data)


def outcome(path: Path, runs: Path) -> str:
    """How an import of `path` ended; what it may not do raises."""
    try:
        report: ImportReport = import_paths([path], runs)
    except UserError as error:
        text = str(error)
        if "\n" in text or len(text) > 600 or not text:
            raise AssertionError(f"not one line: {text[:200]!r}") from None
        return "refused"
    if report.skipped:
        if any("\n" in s.reason or len(s.reason) > 300 for s in report.skipped):
            raise AssertionError(f"not one line: {report.skipped[0].reason[:200]!r}")
        return "refused"
    return "taken"


def fuzz(files: int, seed: int, folder: Path) -> tuple[Counter[str], float]:
    """Import `files` damaged files; how many were taken and refused, and the slowest's
    CPU-seconds.

    Raises at the first failure, leaving the file in `folder`.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    slowest = 0.0
    write = folder / "good.parquet"
    table = folder / "good.tsv"
    table.write_bytes(_TABLE)
    write_table(read_table(table), write)
    parquet = write.read_bytes()
    kinds = ((_NAME, _LOG, _TABLE), ("t.tsv", _TABLE, _LOG), ("t.parquet", parquet, _TABLE))
    runs = folder / "runs"
    before = Path.cwd()
    os.chdir(folder)
    try:
        for number in range(files):
            name, good, other = kinds[number % 3 if number % 9 else 1]
            path = folder / name
            path.write_bytes(mutate(good, other, rng))
            began = time.process_time()
            counts[f"{path.suffix} {outcome(path, runs)}"] += 1
            took = time.process_time() - began
            slowest = max(slowest, took)
            if took > LIMIT_SECONDS:
                raise AssertionError(f"took {took:.1f} s")
            if (folder / "RAN").exists() or (folder.parent / "RAN").exists():
                raise AssertionError("something in the file was run")
            if runs.exists() and number % 50 == 0:
                check_runs(runs)
                shutil.rmtree(runs)
    finally:
        os.chdir(before)
    return counts, slowest


def check_runs(runs: Path) -> None:
    """What was imported must be readable as runs."""
    from postertui.runs.store import Store

    store = Store(runs)
    store.refresh()
    damaged = [run for run in store.runs.values() if run.damage or run.state != "done"]
    if damaged:
        raise AssertionError(f"an import left a damaged run: {damaged[0].damage}")
    history_table(store.runs.values())
