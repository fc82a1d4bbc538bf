"""Draws a stratified sample and estimates totals from it, with an interval.

Rules:

1. An item's place in its stratum is a hash of its id and the seed: drawing is deterministic, independent of the order
   of the items, and a larger sample contains the smaller one (so a pilot is never work done twice).
2. Allocation is proportional to the size of the stratum (largest remainder), with a floor per stratum, so that no
   kind of item goes unseen.
3. The total is the sum of the strata's expanded means, or of ratios to a size that is known for every item; its
   variance has the finite population correction, so that a sample of everything is exact.
4. A stratum whose drawn items are all alike may have others among those that were not drawn: its variance is that of all
   drawn items, counted as one more drawn item. Where all items of all strata are alike there is no doubt.
5. Intervals rest on Student's t. Where a stratum mixes leaflets and books and few of either are drawn, 95 % becomes
   about 90 %: make strata of what resembles (type and order of size), with 15 or more drawn from each that matters.

Method: W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977: stratified mean and variance (5.3, 5.7), approximate
degrees of freedom (5.16, after Satterthwaite 1946), separate ratio estimator (6.10); jackknife variance of the ratio
after K. M. Wolter, *Introduction to Variance Estimation*, 1985, ch. 4. Strata with one drawn item take
the pooled variance of the others. Pure: no clock, no randomness but the seed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: Two-sided 95 % quantiles of Student's t by degrees of freedom; beyond the last, the normal's 1.96.
_T95 = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 12: 2.179,
    15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980,
}  # fmt: skip
_Z95 = 1.960


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total with its 95 % interval."""

    total: float
    low: float
    high: float
    sampled: int
    """Items that were looked at."""
    population: int
    """Items there are."""

    @property
    def relative_error(self) -> float:
        """Half the interval's width as a share of the total; 0 where the total is 0."""
        return (self.high - self.low) / 2 / abs(self.total) if self.total else 0.0

    @property
    def exact(self) -> bool:
        """Whether every item was looked at."""
        return self.sampled == self.population


@dataclass(frozen=True, slots=True)
class Stratum:
    """What is known of one stratum: how many items there are, and what the drawn ones measured."""

    population: int
    values: tuple[float, ...]
    sizes: tuple[float, ...] | None = None
    """Size of each drawn item, for ratio estimates; positive."""
    total_size: float | None = None
    """Sum of the sizes of all items of the stratum."""


def draw(strata: Mapping[str, str], count: int, seed: int = 0, *, at_least: int = 2) -> list[str]:
    """Draw about ``count`` items, some from each stratum.

    Parameters
    ----------
    strata
        Item id → name of its stratum.
    count
        Items wanted. More are drawn only where the floor asks for it.
    seed
        Another seed draws other items.
    at_least
        Floor per stratum (2 lets each stratum tell its own variance); smaller strata are drawn whole.

    Returns
    -------
    list of str
        Ids in hash order. With a larger ``count`` they contain those of a smaller one.

    Raises
    ------
    ValueError
        If ``count`` is below 1 or ``at_least`` is negative.
    """
    if count < 1:
        raise ValueError(f"a sample needs at least 1 item, not {count}")
    if at_least < 0:
        raise ValueError(f"a stratum can't have at least {at_least} items")
    members: dict[str, list[str]] = {}
    for item, stratum in strata.items():
        members.setdefault(stratum, []).append(item)
    wanted = allocate({name: len(items) for name, items in members.items()}, count, at_least=at_least)
    rank = {item: _rank(item, seed) for item in strata}
    drawn: list[str] = []
    for name, items in members.items():
        drawn += sorted(items, key=rank.__getitem__)[: wanted[name]]
    return sorted(drawn, key=rank.__getitem__)


def allocate(populations: Mapping[str, int], count: int, *, at_least: int = 2) -> dict[str, int]:
    """How many items of each stratum a sample of ``count`` takes.

    Proportional, never more than there are, at least ``at_least`` (or all); monotone in ``count``: no stratum loses
    items when the sample grows, which plain largest-remainder rounding does not promise.
    """
    total = sum(populations.values())
    # Divisor method of Webster: the item goes to the stratum with the largest population / (taken + 1/2). Adding one
    # item at a time never takes one away. The divisor is found by bisection instead of item by item.
    floor = {name: min(at_least, size) for name, size in populations.items()}
    if count >= total:
        return dict(populations)
    low, high = 0.0, 1.0

    def taken(rate: float) -> dict[str, int]:
        return {
            name: min(size, max(floor[name], math.floor(size * rate + 0.5)))
            for name, size in populations.items()
        }

    if sum(floor.values()) >= count:
        return floor
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(taken(middle).values()) <= count else (low, middle)
    result = taken(low)
    # Ties at the divisor: hand out what is left in the order of names.
    for name, most in sorted(taken(high).items()):
        spare = count - sum(result.values())
        if spare > 0:
            result[name] = min(most, result[name] + spare)
    return result


def estimate(strata: Iterable[Stratum]) -> Estimate:
    """Total over all items, with a 95 % interval, from the drawn ones.

    Parameters
    ----------
    strata
        All strata with at least one drawn item each. With ``sizes`` and ``total_size`` the ratio to size is
        estimated (pages per byte × bytes), which is much narrower where values grow with size; else the mean.

    Raises
    ------
    ValueError
        If a stratum has no drawn item, more than it has items, or sizes that do not fit its values.
    """
    parts = [_checked(stratum) for stratum in strata]
    residuals = [_residuals(stratum) for stratum in parts]
    pooled = _pooled_variance(residuals)
    overall = _overall_variance(parts)
    total = variance = freedom = 0.0
    for stratum, rest in zip(parts, residuals, strict=True):
        drawn = len(stratum.values)
        total += _total(stratum)
        unseen = 1 - drawn / stratum.population
        spread = sum(r * r for r in rest) / (drawn - 1) if drawn > 1 else pooled
        if not spread and _ratio(stratum) is None:
            spread = overall / (drawn + 1)
        part = stratum.population**2 * unseen * spread / drawn
        variance += part
        freedom += part * part / max(1, drawn - 1)
    half = _quantile(variance * variance / freedom) * math.sqrt(variance) if freedom else 0.0
    known = sum(sum(stratum.values) for stratum in parts)
    # Nothing that is counted here can be negative, and what was seen is there.
    low = (
        max(total - half, known)
        if min((v for s in parts for v in s.values), default=0.0) >= 0
        else total - half
    )
    sampled, population = sum(len(s.values) for s in parts), sum(s.population for s in parts)
    return Estimate(total, min(low, total), total + half, sampled, population)


def _rank(item: str, seed: int) -> bytes:
    return hashlib.blake2b(
        item.encode("utf-8", "surrogateescape"), digest_size=12, key=str(seed).encode()[:64]
    ).digest()


def _checked(stratum: Stratum) -> Stratum:
    drawn = len(stratum.values)
    if not 1 <= drawn <= stratum.population:
        raise ValueError(f"{drawn} items drawn of a stratum of {stratum.population}")
    if stratum.sizes is not None and (len(stratum.sizes) != drawn or stratum.total_size is None):
        raise ValueError(f"{len(stratum.sizes)} sizes for {drawn} values, total size {stratum.total_size}")
    return stratum


def _ratio(stratum: Stratum) -> float | None:
    """Value per size, or None where the mean is estimated."""
    if stratum.sizes is None or sum(stratum.sizes) <= 0:
        return None
    return sum(stratum.values) / sum(stratum.sizes)


def _total(stratum: Stratum) -> float:
    ratio = _ratio(stratum)
    if len(stratum.values) == stratum.population:
        return math.fsum(stratum.values)
    if ratio is None or stratum.total_size is None:
        return stratum.population * math.fsum(stratum.values) / len(stratum.values)
    return ratio * stratum.total_size


def _residuals(stratum: Stratum) -> Sequence[float]:
    ratio = _ratio(stratum)
    if ratio is not None and stratum.sizes is not None and stratum.total_size is not None:
        return _jackknifed(stratum.values, stratum.sizes, stratum.total_size / stratum.population)
    mean = math.fsum(stratum.values) / len(stratum.values)
    return [value - mean for value in stratum.values]


def _jackknifed(values: Sequence[float], sizes: Sequence[float], mean_size: float) -> Sequence[float]:
    """Residuals whose variance is the jackknife's: the textbook's are too small for few, skewed items.

    Leaving item j out moves the ratio by ``e_j / (x - x_j)``; times ``n - 1`` and the mean size of all items that is
    the pseudo-value's distance from the estimate.
    """
    ratio, all_sizes = sum(values) / sum(sizes), sum(sizes)
    others = len(values) - 1
    if others == 0:
        return [0.0]
    moved = [
        (value - ratio * size) * others * mean_size / max(all_sizes - size, 1e-12 * all_sizes)
        for value, size in zip(values, sizes, strict=True)
    ]
    mean = math.fsum(moved) / len(moved)
    return [move - mean for move in moved]


def _pooled_variance(residuals: Sequence[Sequence[float]]) -> float:
    freedom = sum(len(rest) - 1 for rest in residuals)
    return sum(r * r for rest in residuals for r in rest) / freedom if freedom else 0.0


def _overall_variance(strata: Sequence[Stratum]) -> float:
    """Variance of one item drawn from all strata together."""
    weighed = [
        (value, stratum.population / len(stratum.values)) for stratum in strata for value in stratum.values
    ]
    items = math.fsum(weight for _, weight in weighed)
    if not items:
        return 0.0
    mean = math.fsum(value * weight for value, weight in weighed) / items
    return math.fsum((value - mean) ** 2 * weight for value, weight in weighed) / items


def _quantile(freedom: float) -> float:
    """Student's t at 97.5 %, for the next smaller number of degrees in the table (the wider interval)."""
    if freedom > 1000:
        return _Z95
    known = [degrees for degrees in _T95 if degrees <= max(1.0, freedom)]
    return _T95[max(known)]
