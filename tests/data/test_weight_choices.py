"""`--weights` for one network or several."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.data import backbones
from postertui.data.backbones import Backbone
from postertui.data.weight_choices import NOT_DOWNLOADED, WeightChoices
from postertui.data.weights import resolve_weights
from postertui.system.errors import UserError
from tests.support.analysis_runs import postertui
from tests.support.training_data import make_dataset

RESNET = Backbone(
    name="resnet50", title="ResNet50", side=48, min_side=32, layers=("input", "conv1"),
    weights_file="resnet.h5", weights_url="http://127.0.0.1:9/resnet.h5", weights_hash="0" * 32,
)  # fmt: skip


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "keras"


def test_options_are_for_all_networks_or_for_one_by_name(tmp_path: Path) -> None:
    choices = WeightChoices.parse(["random", "ResNet50=imagenet"])
    assert (choices.default, choices.by_network) == ("random", {"resnet50": "imagenet"})
    odd = tmp_path / "a=b.h5"
    odd.write_bytes(b"")
    assert WeightChoices.parse([str(odd)]).default == str(odd)
    assert WeightChoices.parse(["resnet50=x.h5"]).default == "imagenet"
    with pytest.raises(UserError, match=r"--weights y\.h5: contradicts x\.h5"):
        WeightChoices.parse(["x.h5", "y.h5"])
    with pytest.raises(UserError, match="no variant has the network resnet5; close: resnet50"):
        WeightChoices.parse(["resnet5=x.h5"]).check_networks(["vgg16", "resnet50"])


def test_another_network_never_gets_vgg16s_file_nor_random_ones_in_silence() -> None:
    with pytest.raises(UserError, match=r"x\.h5 is VGG16's; mine is of ResNet50: .*resnet50=FILE"):
        WeightChoices("x.h5").of_backbone(RESNET, "mine")
    with pytest.raises(
        UserError,
        match=r"ResNet50's ImageNet weights: missing at .*resnet.h5, and the download failed "
        r"\(.*\); give a file with --weights resnet50=FILE, or resnet50=random",
    ):
        WeightChoices().of_backbone(RESNET, "mine")
    looked_at = WeightChoices(download=False)
    assert looked_at.of_backbone(RESNET, "mine").digest == NOT_DOWNLOADED
    assert looked_at.of_vgg16().digest == NOT_DOWNLOADED
    drawn = WeightChoices("random")
    assert drawn.of_vgg16() == resolve_weights("random")
    assert drawn.of_backbone(RESNET, "mine").digest != drawn.of_vgg16().digest


def test_a_file_is_tried_on_its_network_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r.h5"
    file.write_bytes(b"weights")
    asked: list[list[str]] = []

    def answer(arguments: list[str]) -> list[backbones.BackboneAnswer]:
        asked.append(arguments)
        wrong = file.read_bytes() != b"weights"
        return [backbones.BackboneAnswer(error=f"{file}: not weights of resnet50" if wrong else "")]

    monkeypatch.setattr(backbones, "_ask_keras", answer)
    choices = WeightChoices("imagenet", {"resnet50": str(file)})
    weights = choices.of_backbone(RESNET, "mine")
    assert (weights.kind, weights.path) == ("file", str(file))
    WeightChoices("imagenet", {"resnet50": str(file)}).of_backbone(RESNET, "mine")
    assert asked == [["--weights", str(file), "resnet50:48"]]
    file.write_bytes(b"others")
    with pytest.raises(UserError, match="not weights of resnet50; give a file with --weights"):
        WeightChoices("imagenet", {"resnet50": str(file)}).of_backbone(RESNET, "mine")


@pytest.mark.slow
def test_a_file_of_another_network_queues_nothing(tmp_path: Path) -> None:
    data = make_dataset(
        tmp_path / "data", rows={0: 8, 2: 8}, positives={"Comedy": {0: 4, 2: 4}}, side=48
    ).path
    study = tmp_path / "s.toml"
    study.write_text('[base]\nnetwork = "mobilenetv2"\n')
    wrong = tmp_path / "w.weights.h5"
    wrong.touch()
    done = postertui(
        "train", "--study", study, "--weights", f"mobilenetv2={wrong}", "--data", data,
        "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "w.weights.h5: not weights of mobilenetv2 without its top" in last
    assert "mobilenetv2=FILE" in last
    assert not list((tmp_path / "runs").glob("*--*"))
