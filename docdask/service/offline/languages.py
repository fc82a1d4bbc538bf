"""Tells the languages of a text: by script where that settles it, else by py3langid's model (in its wheel)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

#: Scripts that (nearly) one language uses.
_BY_SCRIPT = {
    "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "HEBREW": "he", "GREEK": "el", "THAI": "th", "ARMENIAN": "hy",
    "GEORGIAN": "ka", "TAMIL": "ta", "TELUGU": "te", "BENGALI": "bn", "GUJARATI": "gu", "KANNADA": "kn",
}  # fmt: skip
#: What a script is taken for when the text is too short for the model.
_SCRIPT_DEFAULT = {"CJK": "zh", "ARABIC": "ar", "CYRILLIC": "ru", "DEVANAGARI": "hi"}
_MIN_LETTERS = 20


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    load = getattr(LanguageIdentifier, "from_model_file", None) or LanguageIdentifier.from_pickled_model
    return load(MODEL_FILE, norm_probs=True)


def scripts(text: str) -> Counter[str]:
    """Letters by script, as the first word of their Unicode names."""
    return Counter(
        unicodedata.name(letter, "?").split(" ", 1)[0].split("-")[0] for letter in text if letter.isalpha()
    )


def detect(text: str, hints: Sequence[str] = ()) -> list[tuple[str, float]]:
    """Languages of a text with confidence, likeliest first; empty without letters.

    Parameters
    ----------
    text
        Of a page.
    hints
        ISO 639-1 codes that the user expects; when given, the model chooses among them.
    """
    found = scripts(text)
    letters = sum(found.values())
    if not letters:
        return []
    script, count = found.most_common(1)[0]
    if found["HIRAGANA"] + found["KATAKANA"] > 0.05 * letters:
        return [("ja", 0.9)]
    if script in _BY_SCRIPT:
        return [(_BY_SCRIPT[script], round(count / letters, 3))]
    if script in _SCRIPT_DEFAULT and letters < _MIN_LETTERS:
        return [(_SCRIPT_DEFAULT[script], round(0.6 * count / letters, 3))]
    if letters < _MIN_LETTERS:
        return [("und", 0.0)]
    ranked = _model().rank(text[:4000])
    if hints:
        ranked = [item for item in ranked if item[0] in hints] or ranked
    best = [(code, round(float(share), 3)) for code, share in ranked[:2]]
    return [best[0], *(item for item in best[1:] if item[1] >= 0.2)]
