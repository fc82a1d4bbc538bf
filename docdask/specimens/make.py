"""Writes the sample documents and, beside them, the truth about them.

Rules: twelve documents a copy, different in kind; a file's bytes depend on seed, kind and copy only, never on the day
or on how many copies are made; the truth goes to a hidden file, which a scan of the folder passes over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from docdask.errors import StorageError, UsageError
from docdask.specimens import business, contract, office, various
from docdask.specimens.paper import Sample
from docdask.specimens.world import World

#: Name of the truth file in the folder of the samples.
TRUTH = ".truth.json"
#: Stem, suffix and maker of each document, in the order they are written.
MAKERS: tuple[tuple[str, str, Callable[[World], Sample]], ...] = (
    ("invoice-digital", ".pdf", business.digital_invoice),
    ("invoice-scanned", ".pdf", business.scanned_invoice),
    ("receipt-photo", ".jpg", business.receipt_photo),
    ("form-filled", ".pdf", office.form),
    ("stock-tables", ".pdf", office.stock_tables),
    ("letter", ".pdf", business.letter),
    ("contract-20-pages", ".pdf", contract.contract),
    ("fax-3-pages", ".tif", office.fax),
    ("report-rotated-scan", ".pdf", various.rotated_scan),
    ("notice-two-languages", ".pdf", various.two_languages),
    ("note-screenshot", ".png", various.screenshot),
    ("slide-with-chart", ".pdf", various.slide),
)


def make(folder: str | Path, *, copies: int = 1, seed: int = 0) -> list[Path]:
    """Write twelve sample documents, or ``copies`` times twelve, and their truth.

    Parameters
    ----------
    folder
        Made if it is not there. Samples of the same names are overwritten, other files stay.
    copies
        How often each kind is made, each time with other names, numbers and dates: no two files have the same content.
    seed
        The same seed gives the same bytes.

    Returns
    -------
    list of Path
        The documents, without the truth file.

    Raises
    ------
    UsageError
        If ``copies`` is below 1.
    StorageError
        If the folder can't be written.
    """
    if copies < 1:
        raise UsageError(f"{copies} copies can't be made", "give --copies 1 or more")
    folder = Path(folder)
    paths, truth = [], {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for copy in range(copies):
            for stem, suffix, maker in MAKERS:
                name = f"{stem}{suffix}" if copy == 0 else f"{stem}-{copy + 1:03d}{suffix}"
                sample = maker(World(seed, stem, copy))
                (folder / name).write_bytes(sample.data)
                truth[name] = _truth(sample)
                paths.append(folder / name)
        content = json.dumps(
            {"format_version": 1, "seed": seed, "documents": truth}, ensure_ascii=False, indent=1
        )
        (folder / TRUTH).write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"samples can't be written to {folder}: {error.strerror or error}",
            "name a folder that can be written, on a disk with 3 MB free a copy",
        ) from error
    return paths


def _truth(sample: Sample) -> dict[str, Any]:
    facts = asdict(sample)
    del facts["data"]
    return {"pages": len(sample.texts), **facts}
