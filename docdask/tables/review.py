"""What a person should look at, in the order in which it pays.

Rules: first what could not be read at all, then the least sure, each document once with its least sure page; ``why`` is
empty where there is nothing to look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: A page whose mean confidence is below this has a wrong word in every few lines.
UNSURE = 0.9
#: A page with fewer characters than this has little text, and so nothing to be unsure of.
FEW_CHARACTERS = 20

COLUMNS = ["document_id", "name", "kind", "outcome", "confidence", "page_number", "why", "remedy", "uri"]


def review(documents: pd.DataFrame, pages: pd.DataFrame) -> pd.DataFrame:
    """Quarantined and stored documents, lowest confidence first.

    Parameters
    ----------
    documents
        The table ``documents``.
    pages
        Columns ``document_id``, ``page_number``, ``mean_confidence``, ``characters`` of the table ``pages``.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`COLUMNS`; ``confidence`` and ``page_number`` are those of the least sure page, null where there is
        none. Duplicates are left out: they have the answer of their original.
    """
    own = documents[documents["duplicate_of"].isna() & documents["outcome"].isin(["stored", "quarantined"])]
    order = pages.assign(few=pages["characters"] < FEW_CHARACTERS)
    order = order.sort_values(
        ["mean_confidence", "few", "page_number"], ascending=[True, False, True], kind="stable"
    )
    worst = order.drop_duplicates("document_id").rename(columns={"mean_confidence": "confidence"})
    frame = own.merge(worst[["document_id", "page_number", "confidence", "characters"]], on="document_id",
                      how="left", suffixes=("", "_of_page"))  # fmt: skip
    frame["page_number"] = frame["page_number"].astype("Int32")
    columns = ["outcome", "reason", "confidence", "page_number", "characters_of_page"]
    frame["why"] = [_why(*values) for values in zip(*(frame[column] for column in columns), strict=True)]
    frame["set_aside"] = frame["outcome"] == "quarantined"
    frame["blank"] = frame["confidence"].isna()
    by = ["set_aside", "blank", "confidence", "document_id"]
    ordered = frame.sort_values(by, ascending=[False, False, True, True], kind="stable")
    return ordered[COLUMNS].reset_index(drop=True)


def _why(outcome: str, reason: str, confidence: float, page: int, characters: float) -> str:
    if outcome == "quarantined":
        return str(reason)
    if confidence < UNSURE:
        return f"confidence of page {page} is {confidence:.2f}"
    if characters < FEW_CHARACTERS:
        return f"page {page} has {int(characters) or 'no'} characters"
    return ""
