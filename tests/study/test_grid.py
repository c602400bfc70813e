"""Which runs a study asks for: rare genres, all genres, cohorts, seeds; and `train --list`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from postertui.cli.train import train_command
from postertui.data.dataset import Dataset
from postertui.study import load_study
from postertui.study.files import parse_study
from postertui.supervisor import plan as launch
from postertui.system.errors import UserError
from tests.support.training_data import RANDOM, make_dataset


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Of 1,000 training posters 400 are Comedy, 30 Western (3 %), 29 War."""
    return make_dataset(
        tmp_path / "data",
        rows={0: 1000, 2: 10},
        positives={
            "Comedy": {0: 400, 2: 4},
            "Western": {0: 30, 2: 1},
            "War": {0: 29, 2: 5},
        },
        side=1,
    )


def genres_of(plan: launch.TrainingPlan) -> list[str]:
    return list(dict.fromkeys(spec.genre for spec in plan.specs))


def test_genres_under_three_per_cent_of_training_positives_are_left_out(data: Dataset) -> None:
    study = load_study("milestone4")
    plan = launch.plan(study, data, RANDOM, {}, variants=["base"])
    assert genres_of(plan) == ["Comedy", "Western"]
    assert plan.rare == ("War",)
    everything = launch.plan(study, data, RANDOM, {}, variants=["base"], all_genres=True)
    assert genres_of(everything) == ["Comedy", "Western", "War"]
    named = launch.plan(study, data, RANDOM, {}, variants=["base"], genres=["war"])
    assert genres_of(named) == ["War"]


def test_a_studys_own_rarity_genres_seeds_and_mode_hold(data: Dataset) -> None:
    study = parse_study(
        'name = "mine"\ngenres = ["War", "Comedy"]\nseeds = 3\nrarity = 0\nmode = "published"\n'
        "[base]\nepochs = 2\n[variants.wide]\nfc1 = 512\n",
        "mine.toml",
    )
    plan = launch.plan(study, data, RANDOM, {})
    assert len(plan.specs) == len({spec.run for spec in plan.specs}) == 2 * 2 * 3
    assert genres_of(plan) == ["War", "Comedy"]
    assert {spec.mode for spec in plan.specs} == {"published"}
    assert {spec.seed for spec in plan.specs} == {0, 1, 2}
    assert {spec.variant.epochs for spec in plan.specs} == {2}


def test_new_runs_draw_other_numbers_for_each_genre(data: Dataset) -> None:
    specs = launch.plan(load_study("milestone4"), data, RANDOM, {}, variants=["base"]).specs
    assert {spec.random_key for spec in specs} == {"seed-genre"}
    assert len({spec.entropy for spec in specs}) == 2
    shared = parse_study('random_key = "seed"', "mine.toml")
    specs = launch.plan(shared, data, RANDOM, {}).specs
    assert {spec.entropy for spec in specs} == {(0,)}


def test_a_run_from_before_the_genre_counted_is_not_trained_again(data: Dataset) -> None:
    study = load_study("milestone4")
    (wanted,) = launch.plan(study, data, RANDOM, {}, variants=["base"], genres=["Comedy"]).specs
    earlier = msgspec.structs.replace(wanted, random_key="seed")
    plan = launch.plan(
        study, data, RANDOM, {earlier.run: "done"}, variants=["base"], genres=["Comedy"], seeds=2
    )
    assert [spec.run for spec in plan.done] == [earlier.run]
    assert [spec.random_key for spec in plan.missing] == ["seed-genre"]


def test_genres_that_share_layers_are_one_setting(data: Dataset) -> None:
    study = parse_study('[variants.shared]\nshare = "fc1"\n', "mine.toml")
    plan = launch.plan(study, data, RANDOM, {}, all_genres=True, seeds=2)
    shared = [spec for spec in plan.specs if spec.variant.name == "shared"]
    assert {spec.group for spec in shared} == {("Comedy", "War", "Western")}
    assert {spec.group for spec in plan.specs if spec not in shared} == {()}
    assert len(shared) == 6
    assert len({spec.unit for spec in shared}) == 2
    narrower = launch.plan(study, data, RANDOM, {}, variants=["shared"], genres=["War", "Comedy"])
    assert not {spec.run for spec in narrower.specs} & {spec.run for spec in shared}
    turned = launch.plan(study, data, RANDOM, {}, variants=["shared"], genres=["Comedy", "War"])
    assert {spec.run for spec in turned.specs} == {spec.run for spec in narrower.specs}


def test_a_single_genre_cannot_share_layers(data: Dataset) -> None:
    study = parse_study('[variants.shared]\nshare = "fc1"\n', "mine.toml")
    plan = launch.plan(study, data, RANDOM, {}, genres=["War"])
    assert [spec.variant.name for spec in plan.specs] == ["base"]
    assert plan.notes[-1].startswith(
        "shared is left out: it shares layers between genres, and only"
    )
    with pytest.raises(UserError, match="only War is asked for; name two genres or more"):
        launch.plan(study, data, RANDOM, {}, variants=["shared"], genres=["War"])


@pytest.mark.parametrize("other", ['network = "scratch"', 'balance = "oversample"'])
def test_what_sharing_layers_contradicts(other: str) -> None:
    with pytest.raises(UserError, match="share: "):
        parse_study(f'[variants.shared]\nshare = "fc1"\n{other}\n', "mine.toml")


@pytest.fixture
def validated(tmp_path: Path) -> Dataset:
    """Cohorts 0, 1 and 2."""
    positives = {"Comedy": {0: 40, 1: 3, 2: 4}}
    return make_dataset(
        tmp_path / "validated", rows={0: 100, 1: 10, 2: 10}, positives=positives, side=1
    )


def validate(data: Dataset, **options: Any) -> launch.TrainingPlan:
    return launch.plan(load_study("milestone4"), data, RANDOM, {}, variants=["base"], **options)


def test_the_study_validates_on_cohort_1(validated: Dataset) -> None:
    plan = validate(validated)
    assert [(s.val_cohorts, s.val_base_rate) for s in plan.specs] == [((1,), 0.3)]
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"train_cohorts": [0, 1]}, "cohort 1 is used for training or testing"),
        ({"test_cohorts": [1]}, "cohort 1 is used for training or testing"),
    ],
)
def test_a_studys_validation_cohort_gives_way(
    options: dict[str, Any], note: str, validated: Dataset
) -> None:
    plan = validate(validated, **options)
    assert {s.val_cohorts for s in plan.specs} == {()}
    assert plan.notes == (f"Validating on no cohort: {note}.",)


def test_data_without_the_studys_validation_cohort_does_without(data: Dataset) -> None:
    plan = validate(data)
    assert {(s.val_cohorts, s.val_base_rate) for s in plan.specs} == {((), None)}
    assert plan.notes == ("Validating on no cohort: the data has no cohort 1.",)


def test_requested_validation_cohorts_give_way_to_nothing(validated: Dataset) -> None:
    with pytest.raises(UserError, match="cohort 2 is in more than one of --train-cohorts"):
        validate(validated, val_cohorts=[2])
    with pytest.raises(UserError, match="no cohort 7"):
        validate(validated, val_cohorts=[7])
    assert {s.val_cohorts for s in validate(validated, val_cohorts=[]).specs} == {()}


def test_rotations_move_every_role_on_by_one_cohort(tmp_path: Path) -> None:
    counts = {d: 100 + d for d in range(4)}
    dataset = make_dataset(
        tmp_path / "data", rows=counts, positives={"Comedy": dict.fromkeys(range(4), 40)}, side=1
    )
    study = parse_study("val_cohorts = [1]\nrotations = 4", "mine.toml")
    specs = launch.plan(study, dataset, RANDOM, {}).specs
    roles = [(spec.train_cohorts, spec.val_cohorts, spec.test_cohorts) for spec in specs]
    assert roles == [
        ((0,), (1,), (2,)),
        ((1,), (2,), (3,)),
        ((2,), (3,), (0,)),
        ((3,), (0,), (1,)),
    ]
    assert [spec.test_base_rate for spec in specs] == [40 / counts[t[0]] for _, _, t in roles]
    assert len({spec.run for spec in specs}) == 4
    # The first rotation is the run that there is without any.
    assert launch.plan(study, dataset, RANDOM, {}, rotations=1).specs[0].run == specs[0].run
    with pytest.raises(UserError, match="5 rotations of 4 cohorts"):
        launch.plan(study, dataset, RANDOM, {}, rotations=5)


def test_a_cohort_that_is_missing_is_named(data: Dataset) -> None:
    with pytest.raises(UserError, match=r"no cohort 5; there are 0, 2 \(--train-cohorts"):
        launch.plan(load_study("milestone4"), data, RANDOM, {}, train_cohorts=[5])


def test_a_genre_of_a_study_that_the_data_lacks_is_named(data: Dataset) -> None:
    study = parse_study('genres = ["Musical"]', "mine.toml")
    with pytest.raises(UserError, match=r"no genre `Musical`; there are Comedy, Western, War"):
        launch.plan(study, data, RANDOM, {})


def test_a_genre_that_is_nearly_one_is_offered(data: Dataset) -> None:
    for asked, offered in (("Komedy", r"did you mean Comedy\?$"), ("Opera", "there are Comedy, W")):
        with pytest.raises(UserError, match=f"no genre `{asked}`; {offered}"):
            launch.plan(load_study("milestone4"), data, RANDOM, {}, genres=[asked])


def test_list_shows_every_variant_and_what_it_changes_without_any_data() -> None:
    listed = CliRunner().invoke(train_command, ["--list"], catch_exceptions=False)
    lines = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines())
    assert list(lines) == list(load_study("milestone4").variants)
    assert lines["base"] == "the base variant"
    assert lines["l2-1e-3"] == "regularizer=l2, strength=0.001"
    assert "learning_rate=0.1, schedule=decay" in lines["lr-decay"]

    some = CliRunner().invoke(
        train_command, ["--list", "--variant", "batch-*", "--json"], catch_exceptions=False
    )
    assert [v["batch_size"] for v in json.loads(some.stdout)] == [64, 128]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[grid.g]\nstrength = [1e-6, 1e-6]",
            r"s\.toml:2: grid\.g\.strength: .* has a value twice",
        ),
        ("[variants.a]\nbackbone_rate = 0.1", r"s\.toml:2: .*no pretrained layer trains here"),
        (
            '[variants.a]\nnetwork = "scratch"\nbackbone_rate = 0.1',
            r"s\.toml:3: .*no pretrained layer trains here",
        ),
    ],
)
def test_what_would_do_nothing_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_study(text, "s.toml")
