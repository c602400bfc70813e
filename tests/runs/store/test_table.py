"""From runs to the history table, and to records for filters."""

from __future__ import annotations

from pathlib import Path

from postertui.history.from_runs import history_table
from postertui.history.schema import SCHEMA
from postertui.runs.events import EventWriter
from postertui.runs.store import Store
from tests.support.supervisor import make_spec, queue


def test_table_has_a_row_per_epoch_in_a_steady_order(tmp_path: Path) -> None:
    b, a = make_spec("Drama", variant="b"), make_spec("Comedy", variant="a", seed=1)
    for name in queue(tmp_path, b, a, make_spec("Horror")):
        if "horror" in name:
            continue
        with EventWriter(tmp_path / name / "events.jsonl") as writer:
            writer.append("start", from_epoch=1)
            for epoch in (1, 2):
                writer.append(
                    "epoch", epoch=epoch, train_loss=epoch / 4, test_fscore=float("nan"),
                    test_tp=3, dead=epoch == 2,
                )  # fmt: skip
    (tmp_path / "damaged").mkdir()
    store = Store(tmp_path)
    store.refresh()
    table = history_table(store.runs.values())
    assert dict(table.schema) == dict(SCHEMA)
    assert table.select("name", "genre", "seed", "epoch").rows() == [
        ("a", "Comedy", 1, 1), ("a", "Comedy", 1, 2), ("b", "Drama", 0, 1), ("b", "Drama", 0, 2),
    ]  # fmt: skip
    assert table["train_loss"].to_list() == [0.25, 0.5] * 2
    assert table["test_fscore"].to_list() == [None] * 4
    assert table["test_tp"].to_list() == [3] * 4
    assert table["dead"].to_list() == [False, True] * 2
    assert table["test_base_rate"].to_list() == [0.21] * 4
    assert table["run"].n_unique() == 2
    only = history_table([store.runs[a.run]])
    assert only.equals(table.filter(table["run"] == a.run))


def test_no_epochs_is_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    queue(tmp_path, make_spec())
    store = Store(tmp_path)
    store.refresh()
    assert history_table(store.runs.values()).is_empty()
    assert dict(history_table(store.runs.values()).schema) == dict(SCHEMA)


def test_record_has_what_filters_name(tmp_path: Path) -> None:
    from postertui.filters import parse

    [name] = queue(tmp_path, make_spec("Comedy", seed=3))
    with EventWriter(tmp_path / name / "events.jsonl") as writer:
        writer.append("start", from_epoch=1, device="cpu", host="here")
        writer.append("epoch", epoch=1, test_fscore_soft=0.4, dead=True)
    store = Store(tmp_path)
    store.refresh()
    record = store.runs[name].record()
    for text in ("genre:comedy", "seed=3", "state:interrupted", "test_fscore_soft>0.3",
                 "epoch=1", "epochs=5", "host:here", "dead:yes", name):  # fmt: skip
        assert parse(text).matches(record), text
    assert not parse("genre:drama").matches(record)
