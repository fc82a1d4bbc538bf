"""Axes of a figure of their own, in docdask's style."""

from __future__ import annotations

import pytest

from docdask import charts


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    with charts.style():
        yield Figure(layout="constrained").subplots()
