"""Histories as training programs write them, through `import` and back out of the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from postertui import read_table
from postertui.history.tensorboard import frame_record
from postertui.importer import ImportReport, import_paths
from postertui.importer.mapping import HistoryMapping, parse_columns, read_mapping
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui

KERAS_3 = (
    "{'accuracy': [0.6, 0.65], 'f1_score': [0.1, 0.2], 'auc': [0.5, 0.75], "
    "'learning_rate': [0.001, 0.0005], 'loss': [0.9, 0.8], 'val_accuracy': [0.6, 0.62], "
    "'val_f1_score': [0.1, 0.15], 'val_loss': [1.0, 0.9]}"
)


def load(
    folder: Path, files: Mapping[str, str], **options: object
) -> tuple[pl.DataFrame, ImportReport]:
    """The table of the runs that the files are imported into, and what was said."""
    for name, text in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    [path] = (folder / "in").iterdir() if len(files) == 1 else [folder / "in"]
    report = import_paths([path], folder / "runs", mapping=HistoryMapping(**options))  # type: ignore[arg-type]
    return read_table(folder / "runs"), report


def test_what_keras_3_calls_its_metrics(tmp_path: Path) -> None:
    table, report = load(tmp_path, {"model-1-256-256-history.txt": KERAS_3})
    assert (len(report.added), report.skipped, report.notes) == (1, [], [])
    assert table["train_fscore"].to_list() == [0.1, 0.2]
    assert table["test_fscore"].to_list() == [0.1, 0.15]
    assert table["learning_rate"].to_list() == [0.001, 0.0005]
    assert table["train_auc"].to_list() == [0.5, 0.75]
    assert table["Regularizer"].unique().to_list() == ["L1=1e-5"]


def test_a_history_without_a_setting_in_its_name(tmp_path: Path) -> None:
    text = KERAS_3.replace("'", '"')
    table, report = load(tmp_path, {"mine.json": text}, genre="War", variant="mine", seed=4)
    row = table.row(0, named=True)
    assert (row["genre"], row["name"], row["variant"], row["seed"]) == ("War", "mine", "mine", 4)
    assert (row["Regularizer"], row["FC1"]) == ("unknown", 0)
    assert row["train_base_rate"] is None  # that of 2017 is of other posters
    assert any("--validation val" in note for note in report.notes)
    again = import_paths([tmp_path / "in"], tmp_path / "runs", mapping=HistoryMapping(genre="War"))
    assert len(again.added) == 1
    kept, _ = load(tmp_path / "kept", {"mine.json": text}, genre="War", validation="val")
    assert kept["val_loss"].to_list() == [1.0, 0.9]


def test_without_a_genre_it_is_skipped_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(KERAS_3.replace("'", '"'))
    done = postertui("import", tmp_path / "mine.json", "--runs", tmp_path / "runs")
    assert done.returncode == 1
    assert "give its genre with --genre or --map" in done.stderr
    done = postertui(
        "import", tmp_path / "mine.json", "--runs", tmp_path / "runs", "--genre", "War"
    )
    assert done.returncode == 0, done.stderr


def test_keras_csv_logger(tmp_path: Path) -> None:
    text = (
        "epoch,accuracy,loss,val_loss\n0,0.5,0.9,1.0\n1,0.6,0.8,NA\n"  # a fit
        "epoch,accuracy,loss,val_loss\n0,0.4,0.7,0.8\n"  # another, with append=False by hand
        "1,0.45,0.6,0.7\n2,0.5,0.5,0.6\n"  # went on with initial_epoch
        "0,0.1,0.9,0.9\n"  # a third, with append=True
    )
    table, report = load(tmp_path, {"training.csv": text}, genre="Comedy", variant="v")
    assert len(report.added) == 3
    by_run = table.group_by("run", maintain_order=True).agg("epoch", "train_loss", "test_loss")
    assert sorted(by_run["epoch"].to_list()) == [[1], [1, 2], [1, 2, 3]]
    assert [0.8, 0.7, 0.6] in by_run["test_loss"].to_list()
    assert [1.0, None] in by_run["test_loss"].to_list()


def test_a_model_with_several_outputs(tmp_path: Path) -> None:
    text = (
        "epoch,comedy_accuracy,comedy_loss,drama_accuracy,drama_loss,learning_rate,loss,"
        "val_comedy_loss,val_drama_loss,val_loss\n0,0.5,0.4,0.6,0.3,0.1,0.7,0.45,0.35,0.8\n"
    )
    table, report = load(tmp_path, {"log.csv": text}, variant="v")
    rows = {row["genre"]: row for row in table.to_dicts()}
    assert rows["comedy"]["test_loss"] == 0.45
    assert rows["drama"]["train_accuracy"] == 0.6
    assert rows["drama"]["learning_rate"] == 0.1
    assert any("not used: `loss`, `val_loss`" in note for note in report.notes)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (  # a run's history from W&B
            ",_step,_runtime,_timestamp,epoch,train/loss,val/F1\n0,0,1.5,1.7e9,0,0.9,\n"
            "1,1,1.6,1.7e9,0,,0.25\n2,2,2.5,1.7e9,1,0.8,\n3,3,2.6,1.7e9,1,,0.5\n",
            {"script": [(1, 0.9, 0.25), (2, 0.8, 0.5)]},
        ),
        (  # a chart from W&B
            '"Step","one - loss","one - loss__MIN","one - loss__MAX","two - loss",'
            '"one - val_f1"\n"0","0.9","0.9","0.9","0.7","0.25"\n"1","0.8","0.8","0.8","","0.5"\n',
            {"one": [(1, 0.9, 0.25), (2, 0.8, 0.5)], "two": [(1, 0.7, None)]},
        ),
        (  # metrics from MLflow
            "run_id,key,value,step,timestamp\na1,loss,0.9,1,17\na1,loss,0.8,2,18\n"
            "a1,val_f1,0.25,1,17\na1,val_f1,0.5,2,18\n",
            {"a1": [(1, 0.9, 0.25), (2, 0.8, 0.5)]},
        ),
        (  # Lightning's CSVLogger
            "epoch,step,train_loss,val_f1\n0,9,,0.25\n0,9,0.9,\n1,19,,0.5\n1,19,0.8,\n",
            {"script": [(1, 0.9, 0.25), (2, 0.8, 0.5)]},
        ),
        (  # R
            '"epoch" "loss" "val_f1"\n"1" 1 0.9 0.25\n"2" 2 0.8 0.5\n',
            {"script": [(1, 0.9, 0.25), (2, 0.8, 0.5)]},
        ),
        (  # R with decimal commas, steps of batches and a run's name
            '"";"step";"run";"loss";"val_f1"\n"1";100;"x";0,9;0,25\n"2";200;"x";0,8;0,5\n',
            {"x": [(1, 0.9, 0.25), (2, 0.8, 0.5)]},
        ),
    ],
    ids=["wandb", "wandb chart", "mlflow", "lightning", "r", "csv2"],
)
def test_tables_of_metrics(
    text: str, runs: dict[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    table, _ = load(tmp_path, {"metrics.csv": text}, genre="Comedy")
    for name, rows in runs.items():
        part = table.filter(name=name).sort("epoch")
        assert part.select("epoch", "train_loss", "test_fscore").rows() == rows
    assert table["name"].n_unique() == len(runs)


def test_a_mapping_file_says_what_names_do_not(tmp_path: Path) -> None:
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        'variant = "mine"\n[columns]\nepoch = "round"\ntest_fscore = "score"\n'
        '[[files]]\nmatch = "*com*"\ngenre = "Comedy"\nseed = 3\n'
        '[[files]]\nmatch = "*.csv"\ngenre = "Drama"\ncolumns = { train_loss = "badness" }\n'
    )
    (tmp_path / "in").mkdir()
    for name in ("com.csv", "dra.csv"):
        (tmp_path / "in" / name).write_text("round;score;badness\n5;0.5;1.5\n6;0.6;1.4\n")
    done = postertui("import", tmp_path / "in", "--map", mapping, "--runs", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    table = read_table(tmp_path / "runs").sort("genre", "epoch")
    assert table["genre"].to_list() == ["Comedy", "Comedy", "Drama", "Drama"]
    assert table["epoch"].to_list() == [5, 6, 5, 6]
    assert table["test_fscore"].to_list() == [0.5, 0.6] * 2
    assert table["train_loss"].to_list() == [None, None, 1.5, 1.4]
    assert table["train_badness"].to_list() == [1.5, 1.4, None, None]


def test_a_wrong_mapping_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("genres = 3\n")
    with pytest.raises(UserError, match=r"map\.toml: not a mapping of histories: .*`genres`"):
        read_mapping(tmp_path / "map.toml", {})
    with pytest.raises(UserError, match="write COLUMN=NAME"):
        parse_columns(["train_loss"])


def write_events(path: Path, scalars: list[tuple[str, int, float]], tensors: bool = False) -> None:
    """An event file as TensorBoard's writers frame it."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b""
    for tag, step, number in scalars:
        event = event_pb2.Event(step=step, wall_time=1.0)
        value = event.summary.value.add(tag=tag)
        if tensors:
            value.metadata.plugin_data.plugin_name = "scalars"
            value.tensor.dtype = 1
            value.tensor.float_val.append(number)
        else:
            value.simple_value = number
        data += frame_record(event.SerializeToString())
    path.write_bytes(data)


def test_keras_event_files(tmp_path: Path) -> None:
    name = "events.out.tfevents.1.host"
    train = [("epoch_loss", 0, 0.5), ("epoch_loss", 1, 0.25), ("batch_loss", 7, 9.0)]
    write_events(tmp_path / "logs/train" / name, [*train, ("epoch_f1_score", 1, 0.5)], tensors=True)
    write_events(tmp_path / "logs/validation" / name, [("epoch_loss", 0, 0.75)], tensors=True)
    write_events(tmp_path / "other/deep" / name, [("Loss/train", 10, 1.0), ("Loss/train", 20, 0.5)])
    torn = (tmp_path / "other/deep" / name).read_bytes()
    (tmp_path / "other/deep" / name).write_bytes(torn[:-3])
    runs = tmp_path / "runs"
    mapping = HistoryMapping(genre="Comedy", variant="v")
    import_paths([tmp_path / "logs"], runs, mapping=mapping)
    table = read_table(runs)
    assert table.select("epoch", "train_loss", "test_loss", "train_fscore").rows() == [
        (1, 0.5, 0.75, None),
        (2, 0.25, None, 0.5),
    ]
    import_paths([tmp_path / "other"], tmp_path / "two", mapping=HistoryMapping(genre="Comedy"))
    other = read_table(tmp_path / "two")
    assert other.select("name", "epoch", "train_loss").rows() == [("deep", 1, 1.0)]
    damaged = bytearray(torn)
    damaged[20] ^= 1
    (tmp_path / "other/deep" / name).write_bytes(damaged)
    report = import_paths([tmp_path / "other"], tmp_path / "three", mapping=mapping)
    assert "damaged event file" in report.skipped[0].reason


def test_metrics_of_other_programs_come_back(tmp_path: Path) -> None:
    load(tmp_path, {"model-1-256-256-history.txt": KERAS_3})
    done = postertui("export", "--runs", tmp_path / "runs", "-o", tmp_path / "t.tsv")
    assert done.returncode == 0, done.stderr
    import_paths([tmp_path / "t.tsv"], tmp_path / "again")
    assert read_table(tmp_path / "again").equals(read_table(tmp_path / "runs"))
    report = import_paths([tmp_path / "t.tsv"], tmp_path / "runs")
    assert (report.added, report.existing) == ([], 1)


def test_a_printed_history_needs_no_certain_name(tmp_path: Path) -> None:
    """A file on its own and in a folder, beside other texts, one of which holds nothing."""
    rows = '"genre" "variant" "epoch" "test_fscore"\n"1" "War" "mine" 1 0.5\n'
    alone, _ = load(tmp_path / "alone", {"fit.log": KERAS_3}, genre="War")
    assert alone["train_fscore"].to_list() == [0.1, 0.2]
    files = {"comedy.txt": KERAS_3, "r.txt": rows, "README.txt": "hello\n"}
    table, report = load(tmp_path / "folder", files, genre="War")
    assert sorted(table["test_fscore"]) == [0.1, 0.15, 0.5]
    assert [Path(s.what).name for s in report.skipped] == ["README.txt"]


def test_a_column_that_says_the_cohort(tmp_path: Path) -> None:
    """A row for each phase, as PyTorch's scripts have it, and R's `as.data.frame(history)`."""
    wide = (
        "epoch,phase,loss,acc,lr\n0,train,.9,.1,.01\n0,val,1,.2,.01\n"
        "1,train,.8,.3,.1\n1,val,.7,.4,.1\n"
    )
    table, _ = load(tmp_path / "wide", {"a.csv": wide}, genre="War")
    assert table["train_loss"].to_list() == [0.9, 0.8]
    assert table["test_loss"].to_list() == [1.0, 0.7]
    assert table["test_accuracy"].to_list() == [0.2, 0.4]
    assert table["learning_rate"].to_list() == [0.01, 0.1]
    long = (
        '"","metric","value","epoch","data"\n"1","loss",.9,1,"training"\n'
        '"2","loss",.7,1,"validation"\n'
    )
    table, _ = load(tmp_path / "long", {"a.csv": long}, genre="War")
    assert (table["train_loss"].to_list(), table["test_loss"].to_list()) == ([0.9], [0.7])


def test_objects_of_one_epoch_are_one_epoch(tmp_path: Path) -> None:
    """Hugging Face's `trainer_state.json`, and metrics as JSON Lines."""
    entries = [
        {"epoch": 0.5, "loss": 0.9},
        {"epoch": 1.0, "loss": 0.8},
        {"epoch": 1.0, "eval_loss": 0.7, "eval_f1": 0.3},
        {"epoch": 2.0, "loss": 0.6},
        {"epoch": 2.0, "eval_loss": 0.5, "eval_f1": 0.4},
    ]
    state = json.dumps({"global_step": 20, "log_history": entries})
    table, _ = load(tmp_path / "hf", {"trainer_state.json": state}, genre="War")
    assert table["epoch"].to_list() == [1, 2]
    assert table["train_loss"].to_list() == [0.8, 0.6]
    assert table["test_fscore"].to_list() == [0.3, 0.4]
    lines = "".join(json.dumps({"epoch": e, "val_f1": e / 4}) + "\n" for e in range(3))
    table, _ = load(tmp_path / "lines", {"m.jsonl": lines}, genre="War")
    assert table["test_fscore"].to_list() == [0.0, 0.25, 0.5]


def test_what_is_no_number_is_named(tmp_path: Path) -> None:
    vector = KERAS_3.replace("'f1_score': [0.1, 0.2]", "'f1_score': [[0.1, 0.2], [0.3, 0.4]]")
    table, report = load(tmp_path / "a", {"a.txt": vector}, genre="War")
    assert table["train_fscore"].null_count() == 2
    assert any("not used: `f1_score`" in note for note in report.notes)
    _, report = load(tmp_path / "b", {"a.csv": "epoch,loss,clock\n0,.5,00:10\n"}, genre="War")
    assert any("not used: `clock`" in note for note in report.notes)


@pytest.mark.parametrize("epoch", [None, "two", -1, float("nan"), float("inf"), [3]])
def test_an_object_whose_epoch_is_none_is_skipped(tmp_path: Path, epoch: object) -> None:
    text = json.dumps([{"epoch": 1, "loss": 0.5}, {"epoch": epoch, "loss": 0.4}])
    (tmp_path / "a.json").write_text(text)
    report = import_paths(
        [tmp_path / "a.json"], tmp_path / "runs", mapping=HistoryMapping(genre="War")
    )
    assert [s.reason for s in report.skipped] == ["object 2 has no epoch, as others have"]


@pytest.mark.parametrize("epochs", ["[0, nan]", "[-3, 1]", "[1, 1]", "[2, 1]"])
def test_epochs_that_count_nothing_are_numbered(tmp_path: Path, epochs: str) -> None:
    text = f"{{'epoch': {epochs}, 'loss': [0.5, 0.4]}}"
    table, _ = load(tmp_path, {"a.txt": text}, genre="War")
    assert table["epoch"].to_list() == [1, 2]


def test_a_table_of_runs_is_no_history(tmp_path: Path) -> None:
    """What `mlflow.search_runs` returns has each metric's last value only."""
    path = tmp_path / "runs.csv"
    path.write_text("run_id,status,metrics.loss,params.lr\n0a,FINISHED,.2,.1\n")
    with pytest.raises(UserError, match="has a row a run and no epochs"):
        import_paths([path], tmp_path / "runs", mapping=HistoryMapping(genre="War"))
