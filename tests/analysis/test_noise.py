"""The noise of a run, against plain computations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.statistics import squeeze_variances
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
    drama = values[:, 1].var(axis=1, ddof=1).mean()
    assert noise.by_genre["Drama"] == pytest.approx((drama, 6))


def test_a_genres_variance_lies_between_its_own_and_what_all_have() -> None:
    rng = np.random.default_rng(1)
    spreads = dict(zip(GENRES, (0.001, 0.01, 0.02, 0.05), strict=True))
    table = soft_runs(
        [("base", g, s, rng.normal(0.3, sd)) for g, sd in spreads.items() for s in range(4)]
    )
    noise = estimate_noise(run_values(table, METRIC), {})
    own_variances = np.array([noise.by_genre[g][0] for g in sorted(GENRES)])
    assert (noise.prior, noise.prior_df) == squeeze_variances(own_variances, np.full(4, 3.0))
    for genre in GENRES:
        own, _ = noise.by_genre[genre]
        between = sorted((own, noise.prior))
        assert between[0] <= noise.variance(genre)[0] <= between[1]
    assert noise.variance("Comedy")[0] < noise.variance("War")[0]


def test_two_runs_of_one_genre_are_too_few_to_tell() -> None:
    table = stack(soft("base", "Comedy", 0, 0.3), soft("base", "Comedy", 1, 0.4))
    assert estimate_noise(run_values(table, METRIC), {}).source != "replicates"
    one_each = stack(soft("base", "Comedy", 0, 0.3), soft("b", "Comedy", 0, 0.4))
    noise = estimate_noise(run_values(one_each, METRIC), {})
    assert (noise.is_known, "--seeds" in noise.line) == (False, True)
    with pytest.raises(ValueError, match="unknown"):
        noise.variance("Comedy")


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
    noise = Noise("known-equal variants", 0.01, 9, 0.0001, math.inf, {}, ("a = b: 0.0100",))
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
