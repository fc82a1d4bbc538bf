"""Laws of drawing and estimating."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docdask.core.sampling import Estimate, Stratum, allocate, draw, estimate

populations = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.integers(1, 400), min_size=1, max_size=8
)
strata_of_items = populations.map(
    lambda sizes: {f"{name}-{index}": name for name, size in sizes.items() for index in range(size)}
)


@given(populations, st.integers(1, 1000), st.integers(0, 3))
def test_allocation_takes_what_was_asked_for_and_never_more_than_there_is(sizes, count, at_least):
    taken = allocate(sizes, count, at_least=at_least)
    floor = sum(min(at_least, size) for size in sizes.values())
    assert all(min(at_least, sizes[name]) <= taken[name] <= sizes[name] for name in sizes)
    assert sum(taken.values()) == min(sum(sizes.values()), max(count, floor))


@given(populations, st.integers(1, 1000), st.integers(0, 200))
def test_no_stratum_loses_items_when_the_sample_grows(sizes, count, more):
    small, large = allocate(sizes, count), allocate(sizes, count + more)
    assert all(small[name] <= large[name] for name in sizes)


@given(populations, st.integers(1, 1000))
def test_allocation_is_proportional_up_to_rounding_and_the_floor(sizes, count):
    taken = allocate(sizes, count, at_least=0)
    total = sum(sizes.values())
    for name, size in sizes.items():
        assert abs(taken[name] - min(1, count / total) * size) <= len(sizes)


@given(strata_of_items, st.integers(1, 300), st.integers(0, 100), st.integers(0, 5))
def test_a_larger_sample_contains_the_smaller(strata, count, more, seed):
    assert set(draw(strata, count, seed)) <= set(draw(strata, count + more, seed))


@settings(max_examples=25)
@given(strata_of_items, st.integers(1, 300), st.randoms(use_true_random=False))
def test_the_sample_does_not_depend_on_the_order_of_the_items(strata, count, rng):
    items = list(strata.items())
    rng.shuffle(items)
    assert draw(dict(items), count, 7) == draw(strata, count, 7)


def test_another_seed_draws_other_items():
    strata = {str(index): "all" for index in range(10_000)}
    first, second = set(draw(strata, 500, 1)), set(draw(strata, 500, 2))
    assert len(first & second) < 60


def test_every_item_is_drawn_equally_often():
    strata = {f"item-{index}": "even" if index % 2 else "odd" for index in range(100)}
    counts = dict.fromkeys(strata, 0)
    for seed in range(600):
        for item in draw(strata, 20, seed):
            counts[item] += 1
    # 600 draws at 20 %: mean 120, standard deviation 9.8; five of them either way.
    assert 70 < min(counts.values()) <= max(counts.values()) < 170


def test_a_name_that_is_no_utf8_can_be_drawn():
    assert draw({"caf\udce9": "a"}, 1) == ["caf\udce9"]


@pytest.mark.parametrize(("count", "at_least"), [(0, 2), (-1, 2), (3, -1)])
def test_impossible_samples_are_refused(count, at_least):
    with pytest.raises(ValueError, match="at least"):
        draw({"a": "x"}, count, at_least=at_least)


values = st.lists(st.floats(0, 1e6), min_size=1, max_size=50).map(tuple)


@given(st.lists(values, min_size=1, max_size=5))
def test_a_sample_of_everything_is_exact(lists):
    result = estimate(Stratum(len(drawn), drawn) for drawn in lists)
    assert result.exact
    assert result.low == result.total == result.high
    assert result.total == pytest.approx(sum(sum(drawn) for drawn in lists))


@given(values, st.integers(0, 1000))
def test_the_interval_holds_the_estimate_and_what_was_seen(drawn, unseen):
    result = estimate([Stratum(len(drawn) + unseen, drawn)])
    assert sum(drawn) <= result.low * (1 + 1e-9) + 1e-9
    assert result.low <= result.total <= result.high


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=30), st.floats(0.001, 1000), st.integers(1, 100))
def test_values_that_are_proportional_to_size_are_estimated_exactly(sizes, factor, unseen):
    stratum = Stratum(
        len(sizes) + unseen, tuple(factor * size for size in sizes), tuple(sizes), sum(sizes) + 5e6
    )
    result = estimate([stratum])
    assert result.total == pytest.approx(factor * stratum.total_size)
    assert result.high - result.total <= 1e-3 * result.total


def test_equal_values_everywhere_leave_no_doubt():
    result = estimate([Stratum(1000, (3.0,) * 10), Stratum(50, (3.0,) * 5)])
    assert (result.low, result.total, result.high) == (3150, 3150, 3150)


def test_a_few_that_are_alike_say_little_of_the_others_where_there_are_others_elsewhere():
    few = estimate([Stratum(1000, (3.0,) * 10), Stratum(50, (7.0,) * 5)])
    many = estimate([Stratum(1000, (3.0,) * 500), Stratum(50, (7.0,) * 50)])
    assert few.total == many.total == 3350
    assert few.low < 3300
    assert few.high > 3400
    assert many.relative_error < few.relative_error / 20


def test_what_few_documents_have_is_covered_where_each_stratum_seems_to_be_all_of_one_kind():
    """A form among twelve documents costs, and what resembles it in size does not: two or three drawn say the same."""
    items = {f"{n}": (f"size-{n % 6}", 0.03 if n % 12 == 3 else 0.0) for n in range(96)}
    covered = 0
    for seed in range(100):
        drawn = draw({item: name for item, (name, _) in items.items()}, 20, seed)
        by_name = {}
        for item in drawn:
            by_name.setdefault(items[item][0], []).append(items[item][1])
        found = estimate([Stratum(16, tuple(values)) for values in by_name.values()])
        covered += found.low <= 0.24 <= found.high
    assert covered >= 75  # of 95: a tenth of the samples has no form at all, and knows of none


def test_a_stratum_with_one_drawn_item_borrows_the_others_variance():
    alone = estimate([Stratum(100, (1.0, 5.0, 9.0)), Stratum(100, (5.0,))])
    known = estimate([Stratum(100, (1.0, 5.0, 9.0)), Stratum(1, (5.0,))])
    assert alone.high - alone.low > known.high - known.low > 0


def test_one_item_of_many_tells_a_total_but_no_interval_narrower_than_it_can_know():
    result = estimate([Stratum(10, (4.0,))])
    assert result.total == 40
    assert not result.exact


@pytest.mark.parametrize(
    "stratum",
    [Stratum(5, ()), Stratum(1, (1.0, 2.0)), Stratum(5, (1.0, 2.0), (1.0,), 9.0), Stratum(5, (1.0,), (1.0,))],
)
def test_samples_that_make_no_sense_are_refused(stratum):
    with pytest.raises(ValueError, match=r"drawn|sizes"):
        estimate([stratum])


def _population(rng: random.Random) -> dict[str, tuple[str, float, float]]:
    """Documents: id → stratum, pages, bytes. Pages are skewed, as they are in real folders."""
    items = {}
    for stratum, size, mean, shape in (
        ("pdf", 900, 4.0, 1.0),
        ("image", 600, 1.2, 1.0),
        ("book", 100, 80.0, 4.0),
    ):
        for index in range(size):
            pages = max(1.0, round(rng.gammavariate(shape, mean / shape)))
            items[f"{stratum}-{index}"] = (stratum, pages, pages * rng.uniform(30_000, 90_000))
    return items


@pytest.mark.parametrize("by_size", [False, True])
def test_the_interval_covers_the_truth_at_about_its_nominal_rate(by_size):
    population = _population(random.Random(5))
    truth = sum(pages for _, pages, _ in population.values())
    covered = 0
    for seed in range(200):
        drawn = draw({item: stratum for item, (stratum, _, _) in population.items()}, 160, seed, at_least=15)
        covered += _covers(_estimate(population, drawn, by_size=by_size), truth)
    # 200 trials at 95 %: 190 ± 3.1; skewed values cost a little.
    assert covered >= 180


def test_ratios_to_size_are_narrower_where_values_grow_with_size():
    population = _population(random.Random(5))
    drawn = draw({item: stratum for item, (stratum, _, _) in population.items()}, 160, 1, at_least=15)
    plain = _estimate(population, drawn, by_size=False)
    ratio = _estimate(population, drawn, by_size=True)
    assert ratio.relative_error < 0.7 * plain.relative_error


def _covers(result: Estimate, truth: float) -> bool:
    return result.low <= truth <= result.high


def _estimate(population, drawn, *, by_size: bool) -> Estimate:
    strata = []
    for name in ("pdf", "image", "book"):
        everything = [item for item in population.values() if item[0] == name]
        seen = [population[item] for item in drawn if population[item][0] == name]
        pages = tuple(pages for _, pages, _ in seen)
        if by_size:
            sizes = tuple(size for _, _, size in seen)
            strata.append(Stratum(len(everything), pages, sizes, sum(size for _, _, size in everything)))
        else:
            strata.append(Stratum(len(everything), pages))
    return estimate(strata)
