"""The noise of a run, against plain computations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.values import run_values
from tests.support.analysis_tables import history, soft, soft_runs, stack

METRIC = "test_fscore_soft"
GENRES = ("Comedy", "Drama", "Horror", "War")


def test_replicates_give_the_pooled_standard_deviation() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 0.02, (2, len(GENRES), 4))
    table = soft_runs(
        [
            (name, genre, seed, values[i, j, seed])
            for i, name in enumerate(("base", "other"))
            for j, genre in enumerate(GENRES)
            for seed in range(4)
        ]
    )
    noise = estimate_noise(run_values(table, METRIC), find_equal_variants(table))
    assert noise.source == "replicates"
    assert noise.df == 2 * len(GENRES) * 3
    assert noise.sd == pytest.approx(math.sqrt(values.var(axis=2, ddof=1).mean()))
    assert noise.own("Drama", "other") == pytest.approx((values[1, 1].var(ddof=1), 3))


def test_a_settings_variance_lies_between_its_own_and_what_its_variant_and_genre_suggest() -> None:
    rng = np.random.default_rng(1)
    spreads = dict(zip(GENRES, (0.001, 0.01, 0.02, 0.05), strict=True))
    table = soft_runs(
        [
            (name, g, s, rng.normal(0.3, sd))
            for name in ("base", "b", "c")
            for g, sd in spreads.items()
            for s in range(4)
        ]
    )
    noise = estimate_noise(run_values(table, METRIC), {})
    assert noise.variances is not None
    for i, name in enumerate(noise.names):
        for j, genre in enumerate(noise.genres):
            between = sorted((noise.own(genre, name)[0], noise.variances.prior[i, j]))
            assert between[0] <= noise.variance(genre, name)[0] <= between[1]
    assert noise.variance("Comedy", "b")[0] < noise.variance("War", "b")[0]


def test_a_noisy_variant_does_not_lend_its_noise_to_others() -> None:
    rng = np.random.default_rng(2)
    table = soft_runs(
        [
            (name, g, s, rng.normal(0.3, 0.03 if name == "wild" else 0.005))
            for name in ("base", "b", "wild")
            for g in GENRES
            for s in range(5)
        ]
    )
    noise = estimate_noise(run_values(table, METRIC), {})
    sds = {n: [math.sqrt(noise.variance(g, n)[0]) for g in GENRES] for n in noise.names}
    assert max(*sds["base"], *sds["b"]) < 0.011
    assert min(sds["wild"]) > 0.015


def test_runs_that_give_one_answer_for_all_posters_are_no_replicates() -> None:
    always_yes = {"test_tp": 40, "test_fp": 60, "test_fn": 0, "test_tn": 0}
    table = stack(*(soft("a", "Comedy", s, 0.5714 + s * 1e-9, **always_yes) for s in range(5)))
    assert not estimate_noise(run_values(table, METRIC), {}).is_known


def test_two_runs_of_one_genre_give_no_noise() -> None:
    table = stack(soft("base", "Comedy", 0, 0.3), soft("base", "Comedy", 1, 0.4))
    assert estimate_noise(run_values(table, METRIC), {}).source != "replicates"
    one_each = stack(soft("base", "Comedy", 0, 0.3), soft("b", "Comedy", 0, 0.4))
    noise = estimate_noise(run_values(one_each, METRIC), {})
    assert (noise.is_known, "--seeds" in noise.line) == (False, True)
    assert noise.variance("Comedy", "base")[1] == 0


def test_known_equal_settings() -> None:
    table = stack(
        history("reduce-lr", variant="Reduce LR on Plateau"),
        history("base"),
        history("l1-0", variant="regularizer L1", Regularizer="L1=0e"),
        history("no-reg", variant="regularizer", Regularizer="NoReg"),
        history("l2-1e-4", variant="regularizer L2", Regularizer="L2=1e-4"),
        history("fc", FC1=1024),
    )
    assert find_equal_variants(table) == {
        "base": "base",
        "reduce-lr": "base",
        "no-reg": "no-reg",
        "l1-0": "no-reg",
        "l2-1e-4": "l2-1e-4",
        "fc": "fc",
    }


def test_another_batch_size_is_another_setting() -> None:
    table = stack(history("base", batch_size=256), history("copy", variant="base", batch_size=64))
    assert find_equal_variants(table)["copy"] == "copy"


def test_the_line_says_where_the_noise_is_from() -> None:
    noise = Noise("known-equal variants", 0.01, 9, ("a = b: 0.0100",))
    assert noise.line.startswith("Noise: 0.0100 a run, so 0.0141 between two runs")
    assert "a = b" in noise.line


def test_settings_that_share_no_genre_are_not_named() -> None:
    table = stack(
        soft("base", "Comedy", 0, 0.30),
        soft("reduce-lr", "Comedy", 0, 0.32),
        soft("no-reg", "Drama", 0, 0.5),
        soft("l1-0", "War", 0, 0.1),
    )
    equal = {"base": "base", "reduce-lr": "base", "no-reg": "no-reg", "l1-0": "no-reg"}
    noise = estimate_noise(run_values(table, METRIC), equal)
    assert [text.split(":")[0] for text in noise.settings] == ["base = reduce-lr"]
