"""All readers of users' files on damaged ones: histories of every program, tables, labels.

Each file is a good one of its kind with some bytes changed, cut, doubled or put in from another
kind. A reader may take it or say in one line why not; a traceback, CPU-seconds over the limit,
anything run from the file, or cells that differ from what a strict reader of CSV sees, are
failures. What was read, written out and read again must be the same.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

from postertui.data.posters.labels import LabelOptions, PosterLabels
from postertui.history.from_runs import history_table
from postertui.history.reading import read_table
from postertui.history.writing import write_table
from postertui.importer import ImportReport, import_paths
from postertui.importer.mapping import HistoryMapping
from postertui.system.errors import UserError
from postertui.tabular.reading import parse_table

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


#: Files of each kind: a name and its good content.
_CSV_LOGGER = (
    b"epoch,accuracy,loss,val_f1_score\n0,0.5,0.9,0.25\n1,0.6,0.8,0.5\n"
    b"epoch,accuracy,loss,val_f1_score\n0,0.5,0.7,0.25\n"
)
_WRITE_CSV2 = b'"";"epoch";"loss";"val_f1"\n"1";1;0,5;0,25\n"2";2;0,25;NA\n'
_WRITE_TABLE = b'"epoch" "loss" "val_f1"\n"1" 1 0.5 0.25\n"2" 2 0.25 NA\n'
_WANDB = b",_step,epoch,train/loss,val/F1\n0,0,0,0.9,\n1,1,0,,0.25\n2,2,1,0.8,0.5\n"
_CHART = (
    b'"Step","one - loss","one - loss__MIN","two - loss"\n"0","0.9","0.9","0.7"\n'
    b'"1","0.8","0.8",""\n'
)
_MLFLOW = (
    b"run_id,key,value,step,timestamp\na1,loss,0.9,1,17\na1,loss,0.8,2,18\na1,val_f1,0.5,1,17\n"
)
_JSON = (
    b'{"history": {"loss": [0.5, 0.25], "val_f1_score": [[0.25], [NaN]], "lr": [0.1, 0.05]},'
    b' "params": {"epochs": 2}, "epoch": [0, 1]}'
)
_LABELS = (
    b"id,genres\n1,Action|Drama\ntt2,Comedy\n3,\n4,comedy|Drama\n",
    b'imdbId;genres;year\n0114709;"Action, Drama";1995\n2;Comedy;1996\n2;Comedy;1996\n',
    b"id,genres\n1,\"['Action', 'Drama']\"\n2,['Comedy']\n3,[]\n",
    b'id,title,genres\n1,"A, b","[{""id"": 1, ""name"": ""Action""}]"\n2,"B ""c""",[]\n',
    b"filename,Action,Comedy,Drama\n1.jpg,1,0,1\n2_poster.png,0,1,0\ntt3.webp,0,0,0\n",
    b"id\tAction\tComedy\n1\tTRUE\tFALSE\n2\tFALSE\tTRUE\n",
)


def _event_file() -> bytes:
    """A small event file of TensorBoard."""
    from postertui.history.tensorboard import frame_record, load_protocol

    event_pb2, _ = load_protocol("")
    records = []
    for step, loss in enumerate((0.5, 0.25)):
        event = event_pb2.Event(step=step, wall_time=1.0)
        event.summary.value.add(tag="loss", simple_value=loss)
        records.append(frame_record(event.SerializeToString()))
    return b"".join(records)


def _histories() -> list[tuple[str, bytes]]:
    kinds = [
        (_NAME, _LOG),
        ("model-2-256-256-history.json", _JSON),
        ("t.tsv", _TABLE),
        ("t.csv.gz", gzip.compress(_TABLE.replace(b"\t", b","), mtime=0)),
        ("training.csv", _CSV_LOGGER),
        ("csv2.csv", _WRITE_CSV2),
        ("table.txt.csv", _WRITE_TABLE),
        ("wandb.csv", _WANDB),
        ("chart.csv", _CHART),
        ("mlflow.csv", _MLFLOW),
    ]
    if importlib.util.find_spec("tensorboard") is not None:
        kinds.append(("events.out.tfevents.1.host", _event_file()))
    return kinds


def outcome(path: Path, runs: Path) -> str:
    """How an import of `path` ended; what it may not do raises."""
    mapping = HistoryMapping(genre="Comedy")
    try:
        report: ImportReport = import_paths([path], runs, mapping=mapping)
    except UserError as error:
        check_one_line(str(error), 600)
        return "refused"
    for skipped in report.skipped:
        check_one_line(skipped.reason, 400)
    return "refused" if report.skipped else "taken"


def check_one_line(text: str, length: int) -> None:
    """What is wrong is said in one line."""
    if "\n" in text or len(text) > length or not text:
        raise AssertionError(f"not one line: {text[:200]!r}")


def label_outcome(path: Path) -> str:
    """How a table of labels was read; what was read, written out and read again is the same."""
    try:
        labels = PosterLabels(path)
    except UserError as error:
        check_one_line(str(error), 900)
        return "refused"
    sets = [[g for g, on in zip(labels.genres, row, strict=True) if on]
            for row in labels.matrix(labels.ids)]  # fmt: skip
    again = path.with_name("again.csv")
    with again.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "genres"))
        writer.writerows((int(i), json.dumps(s)) for i, s in zip(labels.ids, sets, strict=True))
    if any(sets):
        read = PosterLabels(again, options=LabelOptions(any_genres=True, joined_by="list"))
        read_sets = [[g for g, on in zip(read.genres, row, strict=True) if on]
                     for row in read.matrix(read.ids)]  # fmt: skip
        if read.ids.tolist() != labels.ids.tolist() or list(map(sorted, read_sets)) != list(
            map(sorted, sets)
        ):
            raise AssertionError(f"read again: {read_sets} for {sets}")
    return "taken"


def check_against_csv(path: Path) -> None:
    """Where our reader takes a file with commas, Python's strict one reads the same cells."""
    data = path.read_bytes()
    try:
        table = parse_table(path, data)
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        text = text.replace("\n\ufeff", "\n")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UserError, UnicodeDecodeError, csv.Error):
        return
    if table.separator != "," or table.lines is None or table.sections is not None:
        return
    width = table.columns.width
    filled_rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled_rows:
        return
    header, body = filled_rows[0], filled_rows[1:]
    if len(header) != width or any(len(row) != width for row in body):
        return  # the header is one field short or long, as R has it
    cells = [[cell or "" for cell in row] for row in table.columns.rows()]
    kept = [row for row in body if any(row)]
    if cells != kept:
        raise AssertionError(f"cells differ: {cells[:3]} for {kept[:3]}")


def check_table(path: Path) -> None:
    """A history table that is read, written out and read again is the same."""
    try:
        table = read_table(path)
    except UserError:
        return
    for again in (path.with_name("again.tsv"), path.with_name("again.parquet")):
        write_table(table, again)
        if not read_table(again).equals(table):
            raise AssertionError(f"{again.suffix}: another table when read again")


def fuzz(files: int, seed: int, folder: Path) -> tuple[Counter[str], float]:
    """Read `files` damaged files; raises at the first failure, leaving the file in `folder`.

    Returns how many of each kind were taken and refused, and the slowest's CPU-seconds.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    slowest = 0.0
    table = folder / "good.tsv"
    table.write_bytes(_TABLE)
    write_table(read_table(table), folder / "good.parquet")
    histories = [*_histories(), ("t.parquet", (folder / "good.parquet").read_bytes())]
    labels = [(f"labels{i}.csv", good) for i, good in enumerate(_LABELS)]
    kinds = histories + labels
    runs = folder / "runs"
    before = Path.cwd()
    os.chdir(folder)
    try:
        for number in range(files):
            name, good = kinds[number % len(kinds)]
            other = rng.choice(kinds)[1]
            path = folder / name
            path.write_bytes(mutate(good, other, rng))
            began = time.process_time()
            is_labels = (name, good) in labels
            result = label_outcome(path) if is_labels else outcome(path, runs)
            took = time.process_time() - began
            counts[f"{'labels' if is_labels else name} {result}"] += 1
            if name.endswith(".csv"):
                check_against_csv(path)
            if name in ("t.tsv", "t.csv.gz", "t.parquet"):
                check_table(path)
            slowest = max(slowest, took)
            if took > LIMIT_SECONDS:
                raise AssertionError(f"took {took:.1f} s")
            if (folder / "RAN").exists() or (folder.parent / "RAN").exists():
                raise AssertionError("something in the file was run")
            path.unlink()
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
