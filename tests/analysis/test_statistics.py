"""Every formula against scipy's own or a plain computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from postertui.analysis import statistics as s
from postertui.analysis import student_t

VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=2, max_size=12)


@pytest.mark.parametrize("df", [0.5, 1, 2.3, 7, 99.5, 9e5, 1.1e6, 1e9])
@pytest.mark.parametrize("t", [0, 1e-9, 0.5, 1.9, 4, 5])
def test_tail_of_student_t_is_scipys(t: float, df: float) -> None:
    assert student_t.tail(t, df) == pytest.approx(special.stdtr(df, -t), rel=2e-9)


@pytest.mark.parametrize("df", [0.5, 2, 4.9, 5, 9e5, 1.1e6, 1e9])
@pytest.mark.parametrize("p", [1e-5, 0.5, 0.5001, 0.975, 0.999999])
def test_extreme_quantiles_of_student_t_are_scipys(p: float, df: float) -> None:
    assert student_t.quantile(p, df) == pytest.approx(special.stdtrit(df, p), rel=1e-9, abs=1e-12)


def test_derivatives_of_log_gamma_are_scipys() -> None:
    x = np.array([0.01, 0.5, 1, 5, 30, 1e3, 1e6])
    np.testing.assert_allclose(student_t.digamma(x), special.digamma(x), rtol=1e-12)
    np.testing.assert_allclose(student_t.trigamma(x), special.polygamma(1, x), rtol=1e-12)
    np.testing.assert_allclose(student_t.tetragamma(x), special.polygamma(2, x), rtol=1e-12)


@given(st.floats(0.001, 0.999), st.floats(1, 200))
def test_t_quantile_is_scipys(p: float, df: float) -> None:
    assert s.t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


def test_infinite_degrees_of_freedom_are_the_normal() -> None:
    assert s.t_quantile(0.975, math.inf) == pytest.approx(stats.norm.ppf(0.975))
    assert s.t_p_value(1.7, math.inf) == pytest.approx(2 * stats.norm.sf(1.7))


def test_p_value_is_scipys() -> None:
    x = [0.1, 0.02, -0.01, 0.05, 0.07]
    t = s.t_ratio(float(np.mean(x)), float(stats.sem(x)))
    assert s.t_p_value(t, 4) == pytest.approx(stats.ttest_1samp(x, 0).pvalue)


def test_no_spread_makes_a_difference_certain_and_no_difference_none() -> None:
    assert s.t_p_value(s.t_ratio(0.1, 0.0), 5) == 0
    assert s.t_p_value(s.t_ratio(0.0, 0.0), 5) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_holm_is_the_textbooks(p: list[float]) -> None:
    order = np.argsort(p, kind="stable")
    expected = np.empty(len(p))
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1, (len(p) - rank) * p[i]))
        expected[i] = running
    assert s.holm(p) == pytest.approx(expected.tolist())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    expected = stats.false_discovery_control(p, method="bh")
    assert s.benjamini_hochberg(p) == pytest.approx(expected.tolist())


def test_unknown_p_values_count_as_no_comparison() -> None:
    assert s.holm([0.02, math.nan, 0.01])[0] == pytest.approx(0.02)
    assert math.isnan(s.holm([0.02, math.nan])[1])


@pytest.mark.parametrize("size", [3, 8, 11])
def test_sign_flip_is_scipys_exact_permutation_test(size: int) -> None:
    x = np.random.default_rng(size).normal(0.3, 1, size)
    expected = stats.permutation_test(
        (x,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert s.sign_flip_p_value(x.tolist()) == pytest.approx(expected.pvalue)


def test_many_sign_flips_are_drawn_and_near_the_t_test() -> None:
    x = np.random.default_rng(5).normal(0.25, 1, 40)
    assert s.sign_flip_p_value(x.tolist()) == pytest.approx(
        stats.ttest_1samp(x, 0).pvalue, abs=0.01
    )


def test_squeezing_finds_the_prior_that_variances_were_drawn_from() -> None:
    rng = np.random.default_rng(1)
    n, df, prior, prior_df = 20_000, 4.0, 2.5, 8.0
    true = prior * prior_df / rng.chisquare(prior_df, n)
    variances = true * rng.chisquare(df, n) / df
    prior_variance, estimated_df = s.squeeze_variances(variances, np.full(n, df))
    assert prior_variance == pytest.approx(prior, rel=0.03)
    assert estimated_df == pytest.approx(prior_df, rel=0.1)


def test_equal_variances_are_pooled() -> None:
    prior, df = s.squeeze_variances(np.full(10, 3.0), np.full(10, 4.0))
    assert (prior, df) == pytest.approx((3.0, math.inf))


def test_inverse_trigamma_inverts() -> None:
    from scipy.special import polygamma

    for x in (0.05, 0.7, 3.0, 250.0):
        assert s._inverse_trigamma(float(polygamma(1, x))) == pytest.approx(x, rel=1e-8)
