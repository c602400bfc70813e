"""Networks, losses and regularizers of the user's own in the training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import trainer as trainer_module
from postertui.training.cohort_passes import train_pass
from postertui.training.custom import load_functions
from postertui.training.loop import State
from postertui.training.trainer import Trainer
from tests.support.custom_code import custom_spec, documented_functions, source_of
from tests.support.training_data import make_spec, without_time

HEAD = "from keras import layers, ops\ndef build(x, variant):\n"


def train(trainer: Trainer, run: tuple[RunSpec, dict[str, bytes]]) -> list[dict[str, Any]]:
    spec, code = run
    return [without_time(epoch.metrics) for epoch in trainer.epochs(spec, code=code)]


def refusal(trainer: Trainer, data: Dataset, text: str, **fields: Any) -> str:
    fields = {"epochs": 1, "batch_size": 100} | fields
    with pytest.raises(UserError) as caught:
        train(trainer, custom_spec(data, text, **fields))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_documented_functions_train_and_repeat_to_the_bit(
    warm: Trainer, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields: dict[str, Any] = {
        "network": "mine.py:build",
        "loss": "mine.py:focal",
        "kernel_regularizer": "mine.py:group_lasso",
        "kernel_strength": 1e-4,
        "learning_rate": 0.01,
        "epochs": 2,
    }
    dropout_seeds: list[Any] = []

    def record(*arguments: Any) -> tuple[State, Any]:
        dropout_seeds.append(arguments[4].seed)
        return train_pass(*arguments)

    monkeypatch.setattr(trainer_module, "train_pass", record)
    spec, code = custom_spec(data, documented_functions(), **fields)
    histories = []
    for attempt in ("first", "second"):
        epochs = []
        for epoch in warm.epochs(spec, code=code):
            epochs.append(without_time(epoch.metrics))
            epoch.save(tmp_path / f"{attempt}.{epoch.epoch}")
        histories.append(epochs)
        # In between, the same trainer trains another seed.
        assert train(warm, custom_spec(data, documented_functions(), seed=1, **fields)) != epochs
    assert histories[0] == histories[1]
    assert float(histories[0][1]["train_loss"]) < float(histories[0][0]["train_loss"])
    for number in (1, 2):
        first, second = (tmp_path / f"{attempt}.{number}" for attempt in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    resumed = warm.epochs(spec, tmp_path / "first.1", code=code)
    assert [without_time(epoch.metrics) for epoch in resumed] == histories[0][1:]
    batches = np.concatenate(dropout_seeds[:2])
    assert len(np.unique(batches, axis=0)) == len(batches)


#: One epoch without an activity to penalise.
PLAIN: dict[str, Any] = {"regularizer": "none", "strength": 0.0, "epochs": 1, "batch_size": 128}


def test_a_loss_per_row_is_the_mean_of_the_rows_that_are_present(
    warm: Trainer, data: Dataset
) -> None:
    """300 rows in batches of 128 leave a batch that is mostly padding."""
    per_row = "from keras import ops\ndef loss(y, p, present, variant):\n    return (y - p) ** 2\n"
    of_batch = (
        "from keras import ops\ndef loss(y, p, present, variant):\n"
        "    return ops.sum(present * (y - p) ** 2) / ops.sum(present)\n"
    )
    first, other = (
        train(warm, custom_spec(data, text, loss="mine.py:loss", epochs=1, batch_size=128))
        for text in (per_row, of_batch)
    )
    for name in ("train_loss", "test_loss", "test_fscore_soft"):
        assert float(first[0][name]) == pytest.approx(float(other[0][name]), rel=1e-6)


def test_l2_written_by_hand_is_l2(warm: Trainer, data: Dataset) -> None:
    text = "def reg(values, variant):\n    return values**2\n"
    fields: dict[str, Any] = {"batch_size": 128, "strength": 1e-3, "kernel_strength": 1e-2}
    kinds = ("regularizer", "kernel_regularizer")
    fields["epochs"] = 1
    [mine] = train(warm, custom_spec(data, text, **dict.fromkeys(kinds, "mine.py:reg"), **fields))
    [ours] = train(warm, (make_spec(data, **dict.fromkeys(kinds, "l2"), **fields), {}))
    for name in ("train_loss", "test_loss", "test_fscore_soft"):
        assert float(mine[name]) == pytest.approx(float(ours[name]), rel=1e-5)


def test_a_layers_own_regularizer_counts(warm: Trainer, data: Dataset) -> None:
    text = HEAD + (
        "    from keras.regularizers import L2\n"
        "    return layers.Dense(1, activation='sigmoid', kernel_regularizer=L2(10.0))(x)\n"
    )
    [metrics] = train(warm, custom_spec(data, text, network="mine.py:build", **PLAIN))
    assert float(metrics["train_loss"]) > 5


def test_images_instead_of_features(warm: Trainer, data: Dataset) -> None:
    text = HEAD + (
        "    assert tuple(x.shape) == (None, 32, 32, 3), x.shape\n"
        "    h = layers.Conv2D(2, 3, strides=4, activation='relu')(x)\n"
        "    h = layers.Flatten()(h)\n"
        "    return layers.Dense(1, activation='sigmoid')(h)\n"
    )
    spec = custom_spec(data, text, network="mine.py:build", backbone="none", **PLAIN)
    [metrics] = train(warm, spec)
    assert metrics["dead"] == "False"


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ("    return layers.Dense(3)(x)\n", ":2: ", "(n, 3), not (n, 1)"),
        ("    return None\n", ":2: ", "returns nothing"),
        ("    return 0.5\n", ":2: ", "returns a float"),
        ("    h = x\n    return layers.Dense(1)(h) + layers.Nope()\n", ":4: ", "Nope"),
        ("    raise ValueError('oh\\nno')\n", ":3: ", "ValueError: oh no"),
        ("    raise SystemExit(0)\n", ":3: ", "SystemExit"),
        ("    return ops.matmul(x, ops.ones((7, 1)))\n", ":3: ", "build: "),
        ("    return layers.Dense(1)(x) * 100\n", ":2: ", "not a probability; end with a sigmoid"),
        ("    return ops.sigmoid(ops.sum(x, 1, keepdims=True))\n", ":2: ", "no weights"),
        (
            "    h = layers.BatchNormalization()(x)\n"
            "    return layers.Dense(1, activation='sigmoid')(h)\n",
            ":2: ",
            "moving_mean",
        ),
        (
            "    return layers.Dense(1, activation='sigmoid', activity_regularizer='l2')(x)\n",
            ":2: ",
            "activity_regularizer",
        ),
    ],
)
def test_a_network_that_cannot_train_is_one_line_with_its_place(
    warm: Trainer, data: Dataset, body: str, where: str, what: str
) -> None:
    message = refusal(warm, data, HEAD + body, network="mine.py:build", **PLAIN)
    assert message.startswith(f"mine.py{where}")
    assert what in message


def test_a_network_without_an_activity_says_so_where_a_regularizer_waits_for_it(
    warm: Trainer, data: Dataset
) -> None:
    text = HEAD + "    return layers.Dense(1, activation='sigmoid')(x)\n"
    message = refusal(warm, data, text, network="mine.py:build")
    assert message.startswith("mine.py:2: build returns no activity")
    fields = {**PLAIN, "kernel_regularizer": "l2", "kernel_strength": 0.1}
    assert "no hidden layer" in refusal(warm, data, text, network="mine.py:build", **fields)


LOSS = "from keras import ops\n\n\ndef loss(y, p, present, variant):\n"


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ("    return ops.concatenate([p, y], 1)\n", ":4: ", "neither a loss per row"),
        ("    return None\n", ":4: ", "returns nothing"),
        ("    return ops.round(p)\n", ":4: ", "no gradient"),
        ("    return {}[y.shape]\n", ":5: ", "KeyError"),
        ("    q = p\n    return q / 0\n", "", "loss"),
    ],
)
def test_a_loss_that_cannot_train_is_one_line_with_its_place(
    warm: Trainer, data: Dataset, body: str, where: str, what: str
) -> None:
    message = refusal(warm, data, LOSS + body, loss="mine.py:loss")
    assert message.startswith(f"mine.py{where}")
    assert what in message


def test_a_loss_that_becomes_nan_ends_the_run_and_names_the_batch(
    warm: Trainer, data: Dataset
) -> None:
    """0/0 without a positive, which a batch of the genre Rare meets."""
    body = "    hits = ops.sum(y * present)\n    return 1 - ops.sum(y * p * present) / hits\n"
    message = refusal(warm, data, LOSS + body, loss="mine.py:loss", genre="Rare")
    assert message.startswith("mine.py:4: loss was not a number in batch ")
    assert "of epoch 1" in message


@pytest.mark.parametrize(
    ("text", "line"), [("import nothing_of_that_name\n", 1), ("x = 1\ny = x / 0\n", 2)]
)
def test_a_file_that_raises_is_one_line(warm: Trainer, data: Dataset, text: str, line: int) -> None:
    message = refusal(warm, data, text, loss="mine.py:loss")
    assert message.startswith(f"mine.py:{line}: the file: ")


def test_what_a_file_prints_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output of predict's process is a channel."""
    text = "print('at the top')\ndef loss(y, p, present, variant):\n    print('in it')\n"
    source = source_of(text)
    variant = Variant(name="x", loss="mine.loss", code=(source.code_file,))
    functions = load_functions(variant, {"mine": source.data})
    assert functions is not None
    assert functions.loss is not None
    functions.loss(1, 2, 3, 4)
    assert capfd.readouterr() == ("", "at the top\nin it\n")
