"""Pixels of any mode as paper shows them: transparency on white, deep samples as 8 bits.

Rule: an image that is joined into a PDF shows there what is recognised of it alone.
"""

from __future__ import annotations

from typing import Any

#: Modes of Pillow with an alpha channel, those in which one colour may stand for it, and those of more than 8 bits.
_ALPHA, _KEYED = frozenset({"RGBA", "LA", "PA"}), frozenset({"1", "L", "P", "RGB"})
DEEP = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})


def with_alpha(image: Any) -> Any:
    """An image whose transparent colour has become an alpha channel; others as they are."""
    return image.convert("RGBA") if "transparency" in image.info and image.mode in _KEYED else image


def on_paper(image: Any) -> Any:
    """An image whose alpha channel is laid on white; others as they are."""
    from PIL import Image

    if image.mode not in _ALPHA:
        return image
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, image).convert("RGB")


def spread(image: Any) -> Any:
    """An image of deep samples (mode in :data:`DEEP`) as 8 bits, from its least value (or 0) to its greatest."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image, dtype=np.float32)
    low, high = float(values.min(initial=0)), float(values.max(initial=1))
    return Image.fromarray(((values - low) * (255.0 / max(high - low, 1.0))).astype(np.uint8))
