from __future__ import annotations

import math

import pytest

from scripta_client.top.distribution import Distribution

pytestmark = pytest.mark.unit

TEN = Distribution(((0.1, 2.0), (0.5, 6.0), (1.0, 10.0), (math.inf, 10.0)), 4.0)


@pytest.mark.parametrize(
    ("share", "value"),
    [(0.1, 0.05), (0.2, 0.1), (0.4, 0.3), (0.5, 0.4), (0.6, 0.5), (0.8, 0.75), (1.0, 1.0)],
)
def test_quantile_is_interpolated_within_its_bucket(share, value):
    assert TEN.quantile(share) == pytest.approx(value)


def test_quantile_in_a_single_late_bucket_begins_at_that_buckets_lower_bound():
    late = Distribution(((0.1, 0.0), (0.5, 0.0), (1.0, 4.0), (math.inf, 4.0)), 3.0)
    assert late.quantile(0.5) == pytest.approx(0.75)


def test_quantile_beyond_the_last_bound_is_that_bound():
    beyond = Distribution(((0.1, 1.0), (1.0, 1.0), (math.inf, 10.0)), 90.0)
    assert beyond.quantile(0.99) == 1.0
    assert beyond.ceiling == 1.0


@pytest.mark.parametrize("nothing", [Distribution((), 0.0), Distribution(((1.0, 0.0),), 0.0)])
def test_without_observations_nothing_is_claimed(nothing):
    assert nothing.quantile(0.5) is None
    assert nothing.mean is None
    assert nothing.share_within(1.0) is None


def test_nothing_observed_is_told_from_nothing_exported():
    assert not Distribution((), 0.0).known
    assert Distribution(((1.0, 0.0),), 0.0).known


def test_mean_and_share_are_exact_and_a_bound_that_is_none_has_no_share():
    assert TEN.mean == pytest.approx(0.4)
    assert TEN.share_within(0.5) == pytest.approx(0.6)
    assert TEN.share_within(0.7) is None
