"""Turns columns of any pandas (2 or 3, numpy or Arrow, nulls anywhere) into plain numpy arrays.

Rules: a missing column is a column of nulls; a null number or time is NaN; a null text is ``unknown``. Nothing else in
this package looks at a dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


def numbers(frame: pd.DataFrame, column: str) -> Floats:
    """Column as float64, null is NaN."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    values: Floats = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def times_s(frame: pd.DataFrame, column: str) -> Floats:
    """Column of times as seconds since the epoch, null is NaN."""
    if column not in frame or not len(frame):
        return np.full(len(frame), np.nan)
    series = pd.to_datetime(frame[column], utc=True, errors="coerce")
    index = pd.DatetimeIndex(series.astype("datetime64[us, UTC]"))
    stamps = index.asi8.astype(np.float64) / 1e6
    stamps[np.asarray(index.isna())] = np.nan
    return stamps


def texts(frame: pd.DataFrame, column: str, missing: str = "unknown") -> npt.NDArray[Any]:
    """Column as an object array of str, null or blank is ``missing``."""
    if column not in frame:
        return np.full(len(frame), missing, dtype=object)
    series = frame[column].astype(object)
    series = series.where(series.notna(), missing)
    values: npt.NDArray[Any] = series.map(
        lambda value: text if (text := str(value)).strip() else missing
    ).to_numpy(dtype=object)
    return values


def codes(
    frame: pd.DataFrame, column: str, missing: str = "unknown"
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Column as small integers and the texts they stand for, in order of the texts: cheap for a million rows."""
    if column not in frame or not len(frame):
        return np.zeros(len(frame), dtype=np.intp), [missing] if len(frame) else []
    raw, uniques = pd.factorize(frame[column], use_na_sentinel=True)
    labels = [text if (text := str(value)).strip() else missing for value in uniques]
    everything = sorted({*labels, *([missing] if (raw < 0).any() else [])})
    place = {label: number for number, label in enumerate(everything)}
    lookup = np.array([*(place[label] for label in labels), place.get(missing, 0)], dtype=np.intp)
    return lookup[raw], everything  # a null's -1 picks the last
