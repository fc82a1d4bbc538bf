"""Sample documents that come with their truth, so that a user sees how good a result is.

``make`` writes them, ``compare`` holds the tables of a run against the truth. Made-up people and companies only.
"""

from __future__ import annotations

from docdask.specimens.compare import compare
from docdask.specimens.make import MAKERS, TRUTH, make

__all__ = ["MAKERS", "TRUTH", "compare", "make"]
