"""A chart's figure has room for what is written on it."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from docdask.charts import gallery


def test_long_reasons_do_not_run_into_each_other():
    """As many long labels as the chart takes: the figure grows until each has room."""
    long = "it is damaged and can't be decoded, its header makes no sense at all"
    frame = pd.DataFrame(
        {"outcome": ["quarantined"] * 10, "reason": [f"reason {n}: {long}" for n in range(10)]}
    )
    figure = gallery.draw("outcomes", frame)
    figure.canvas.draw()
    boxes = sorted(
        (label.get_window_extent() for label in figure.axes[0].get_yticklabels()), key=lambda box: box.y0
    )
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
