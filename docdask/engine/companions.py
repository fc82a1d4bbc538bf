"""What comes onto a scheduler with the governor: the functions under the entry points ``docdask.scheduler``.

Rules:

1. Each is called with the scheduler, on its loop, when a governor starts there, and must take being called again.
2. One that fails is logged and left out: no page or metric keeps a run from its permits.
3. They are found as engines are: this package knows nothing that stands above it, and others may add theirs.
"""

from __future__ import annotations

import logging
from importlib import metadata
from typing import Any

from docdask.errors import sentence

logger = logging.getLogger(__name__)

GROUP = "docdask.scheduler"


def invite(scheduler: Any) -> None:
    """Call whoever wants to be on ``scheduler`` beside the governor."""
    for point in metadata.entry_points(group=GROUP):
        try:
            point.load()(scheduler)
        except Exception as error:
            logger.warning(
                "docdask: %s could not be put on the scheduler: %s",
                point.value,
                sentence(error),
                exc_info=True,
            )
