"""What each processor type adds to the pages that were read: honest heuristics in the exact shape of Google's replies.

OCR keeps pages only; the Form Parser adds form fields; invoice, expense and custom extractor add entities; classifier and
splitter answer with classes; the Layout Parser turns pages into nested blocks and chunks.
"""

from docdask.service.emulator.shapes.shape import shape

__all__ = ["shape"]
