"""What is in the logs of 2017, and what a file that is none can do: nothing."""

from __future__ import annotations

import csv
import math
import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.history.metric_names import map_names
from postertui.history.schema import PUBLISHED_SCHEMA
from postertui.importer.foreign import ForeignHistory
from postertui.importer.keras_history import read_keras_history
from postertui.importer.literals import MAX_BYTES, parse_literal
from postertui.published.unreadable import UnreadableLogError
from tests.support.logs_2017 import TAIL, log_text
from tests.support.study_2017 import Study2017, every_study

NUMBERS = st.floats(allow_infinity=False, width=64)


def read(folder: Path, text: str, name: str = "history.txt") -> ForeignHistory:
    """The history in a file of this content."""
    path = folder / name
    path.write_text(text)
    return read_keras_history(path)


def test_metrics_and_final_counts(tmp_path: Path) -> None:
    history = read(tmp_path, log_text(epochs=2))
    metrics, counts = history.metrics, history.counts
    assert metrics["loss"] == [0.01, 0.02]
    assert metrics["val_binary_accuracy"] == [0.41, 0.42]
    assert metrics["val_fscore"][0] == 0.51
    assert math.isnan(metrics["val_fscore"][1])
    assert counts == {
        "train_tp": 900, "train_tn": 15000, "train_fp": 5000, "train_fn": 100,
        "test_tp": 80, "test_tn": 1400, "test_fp": 600, "test_fn": 20,
    }  # fmt: skip


def test_counts_on_the_line_of_the_dictionary(tmp_path: Path) -> None:
    assert read(tmp_path, log_text(tail=TAIL)).counts == read(tmp_path, log_text()).counts
    assert read(tmp_path, log_text(tail="")).counts == {}


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_are_read_exactly(values: list[float]) -> None:
    read = parse_literal("{'loss': [" + ", ".join(map(repr, values)) + "]}")["loss"]
    assert [repr(v) for v in read] == [repr(v) for v in values]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -2, +3.5, -inf, 1e400]", [1.0, -2.0, 3.5, -math.inf, math.inf]),
        ("np.float64(1.5)", 1.5),
        ("[numpy.float32(-2), float64(0.1), np.int64(3)]", [-2.0, 0.1, 3.0]),
        ("np.array([1.0, 2.0])", [1.0, 2.0]),
        ("float('inf')", math.inf),
        ("-np.inf", -math.inf),
        ("{'a':\n {'b': ()}}", {"a": {"b": []}}),
    ],
)
def test_what_is_understood(text: str, value: object) -> None:
    assert parse_literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch ran')",
        "np.load('x')",
        "np.float64(open('ran', 'w'))",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "{**{}}",
        "{1: 2}",
        "1 + 1",
        "'text'",
        "True",
        "1j",
        "f'{open(1)}'",
        "np.array.__class__",
        "[" * 150 + "]" * 150,
        "[" * 100_000,
        "-" * 100_000 + "1",
        "1" + "+1" * 50_000,
        "9" * 5000,
        "1" * MAX_BYTES + "1",
        "",
        "\0",
    ],
)
def test_anything_else_is_refused_and_not_run(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableLogError) as refused:
        parse_literal(text)
    assert len(str(refused.value)) < 200
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda t: t[:0], "is empty"),
        (lambda t: t[:200], "cut off"),
        (lambda t: "hello\n" + t, "does not begin with a dictionary"),
        (lambda t: t.replace("'loss': [0.01, ", "'loss': ["), "differ in their number of epochs"),
        (lambda t: t.replace("'loss': [0.01, ", "'loss': ['x', "), "is not a number"),
        (lambda t: t.replace("15000 5000", "15000"), "line 2: .* is not confusion counts"),
        (lambda t: t[:-60], "is not confusion counts"),
        (lambda t: t.replace("5000 100", "-5 100"), "is not confusion counts"),
        (lambda t: t.replace("0.01", "0.01.1"), "line 1: not a Python dictionary"),
    ],
)
def test_a_damaged_log_says_why(damage: object, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model-1-256-256-history.txt"
    path.write_text(damage(log_text()))  # type: ignore[operator]
    with pytest.raises(UnreadableLogError, match=reason):
        read_keras_history(path)


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    path = tmp_path / "model-1-256-256-history.txt"
    path.write_bytes(b"{'loss': [\xff\xfe]}")
    with pytest.raises(UnreadableLogError, match=r"not text \(byte 10\)"):
        read_keras_history(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UnreadableLogError, match="not a regular file"):
        read_keras_history(path)
    with pytest.raises(UnreadableLogError, match="No such file"):
        read_keras_history(tmp_path / "model-2-256-256-history.txt")


@every_study
def test_logs_hold_the_numbers_of_the_table(study_2017: Study2017) -> None:
    histories = defaultdict(list)
    with study_2017.table_path.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            setting = (row["Regularizer"].replace("L1=0e", "L1=0"), row["FC1"], row["FC2"])
            histories[(*setting, row["genre"], row["variant"])].append(row)
    logs = [read_keras_history(path) for path in sorted(study_2017.logs_path.iterdir())]
    assert len(logs) == study_2017.logs
    for log in logs:
        assert log.name is not None
        name = log.name
        rows = histories[(name.regularizer, str(name.fc1), str(name.fc2), name.genre, name.family)]
        columns = map_names(log.metrics, columns=PUBLISHED_SCHEMA)
        for metric, values in log.metrics.items():
            published = sorted(rows, key=lambda r: int(r["epoch"]))
            assert [repr(v) for v in values] in (
                [repr(float(r[columns[metric]])) for r in published],
                *(
                    [repr(float(r[columns[metric]])) for r in rows[i : i + 10]]
                    for i in range(0, len(rows), 10)
                ),
            ), log.what


@pytest.mark.parametrize(
    "text",
    [
        '{"loss": [0.5, null], "val_f1_score": [0.25, NaN]}',
        '{"history": {"loss": [0.5, null], "val_f1_score": [[0.25], [NaN]]}, "params": {"a": 1}}',
        '[{"epoch": 0, "loss": 0.5, "val_f1_score": 0.25}, {"epoch": 1}]',
        '{"log_history": [{"epoch": 1, "loss": 0.5, "val_f1_score": 0.25}, {"epoch": 2}]}',
    ],
)
def test_json_histories(text: str, tmp_path: Path) -> None:
    metrics = read(tmp_path, text, "history.json").metrics
    assert [repr(v) for v in metrics["loss"]] == ["0.5", "nan"]
    assert [repr(v) for v in metrics["val_f1_score"]] == ["0.25", "nan"]


@pytest.mark.parametrize(
    "text", ["", "[", "3", "{}", "[]", '"a"', "[1]", '{"loss": []}', "[" * 9999]
)
def test_json_that_is_no_history(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableLogError):
        read(tmp_path, text, "history.json")


def test_what_keras_3_prints(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        "{'f1_score': [array([0.1], dtype=float32), <tf.Tensor: shape=(), dtype=float32, "
        "numpy=0.2>], 'loss': [np.float32(0.5), 0.25], 'per_class': [array([1., 2.]), 3.0]}",
    )
    assert history.metrics == {"f1_score": [0.1, 0.2], "loss": [0.5, 0.25]}
