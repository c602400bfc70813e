"""Posters at several sides in one data folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.data.dataset import Dataset
from postertui.data.posters import build_dataset
from postertui.data.synthetic import SyntheticPosters, make_posters
from postertui.runs.run_data import open_run_data
from postertui.study import load_study
from postertui.study.files import parse_study
from postertui.supervisor import plan as launch
from postertui.system.errors import UserError
from tests.support.training_data import RANDOM


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticPosters:
    return make_posters(tmp_path_factory.mktemp("made") / "posters", 6)


def build(made: SyntheticPosters, folder: Path, *sides: int) -> Dataset:
    build_dataset(made.posters, made.labels, folder, sides=sides)
    return Dataset.open(folder)


def test_each_side_is_what_a_folder_of_it_alone_would_be(
    made: SyntheticPosters, tmp_path: Path
) -> None:
    both = build(made, tmp_path / "both", 16, 24)
    assert (both.side, both.sides) == (16, (16, 24))
    for side in (16, 24):
        alone = build(made, tmp_path / f"only-{side}", side)
        part = Dataset.open(tmp_path / "both", side)
        assert part.fingerprint == alone.fingerprint
        assert part.describe().fingerprint == alone.describe().fingerprint
        assert part.describe().all_sides == (side,)
        for cohort in alone.cohorts:
            assert np.array_equal(part.images(cohort), alone.images(cohort))
            assert part.images_digest(cohort) == alone.images_digest(cohort)
            assert part.images_path(cohort).is_file()
            assert part.labels(cohort).tolist() == alone.labels(cohort).tolist()
    with pytest.raises(UserError, match=r"no posters of 96 pixels; the data has 16 and 24; .*96`"):
        both.at_side(96)


def test_a_changed_further_side_is_noticed(made: SyntheticPosters, tmp_path: Path) -> None:
    build(made, tmp_path / "data", 16, 24)
    path = tmp_path / "data" / "images-0-24.npy"
    pixels = np.load(path)
    pixels[0, 0, 0, 0] ^= 1
    np.save(path, pixels)
    Dataset.open(tmp_path / "data").images(0)
    with pytest.raises(UserError, match=r"images-0-24\.npy: not what was built"):
        Dataset.open(tmp_path / "data", 24).images(0)


def test_the_command_builds_shows_and_says_what_it_drops(
    made: SyntheticPosters, tmp_path: Path
) -> None:
    data = ["--data", str(tmp_path / "data")]
    inputs = ["--posters", str(made.posters), "--labels", str(made.labels), *data]

    def postertui(*words: str) -> str:
        result = CliRunner().invoke(cli, ["data", *words], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    shown = postertui("build", *inputs, "--side", "16", "--side", "24", "--side", "16")
    assert "posters of 16 by 16 and 24 by 24 pixels" in shown
    assert "no longer" not in shown
    summary = json.loads(postertui("show", *data, "--json"))
    assert (summary["side"], summary["sides"]) == (16, [16, 24])
    dropped = postertui("build", *inputs, "--side", "32")
    assert "will no longer have posters of 16 and 24 pixels" in dropped
    assert "--side 16 --side 24 --side 32 keeps them" in dropped
    assert not list((tmp_path / "data").glob("images-*-*.npy"))


def test_a_run_names_its_side_and_finds_it_again(made: SyntheticPosters, tmp_path: Path) -> None:
    data = tmp_path / "data"
    alone = build(made, data, 16)
    study = parse_study('[base]\n[grid.side]\nside = [16, 24]\nnetwork = "scratch"\n', "s.toml")
    with pytest.raises(UserError, match="no posters of 24 pixels; the data has 16;"):
        launch.plan(study, alone, RANDOM, {}, variants=["side-*"])
    plan = launch.plan(study, alone, RANDOM, {})
    assert {spec.variant.name for spec in plan.specs} == {"base", "side-16"}
    assert plan.notes == (
        "Left out: side-24: no posters of 24 pixels; "
        "`postertui data build --side 16 --side 24` adds them.",
    )
    [before] = launch.plan(study, alone, RANDOM, {}, variants=["base"], genres=["Comedy"]).specs
    assert before.run == launch.plan(load_study("milestone4"), alone, RANDOM, {}, variants=["base"],
                                     genres=["Comedy"]).specs[0].run  # fmt: skip

    both = build(made, data, 24, 16)
    assert open_run_data(before).side == 16
    specs = launch.plan(study, both, RANDOM, {}, genres=["Comedy"]).specs
    sides = {spec.variant.name: open_run_data(spec).side for spec in specs}
    assert sides == {"base": 24, "side-16": 16, "side-24": 24}
    assert len({spec.digest for spec in specs}) == 3
    build(made, data, 24)
    with pytest.raises(UserError, match="the data has changed since"):
        open_run_data(before)
