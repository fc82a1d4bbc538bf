"""Decides whether a page's text layer can be trusted, or the page must be read from its picture.

Rules: no dictionary, so that no language is favoured. A text layer is bad when its characters are (no Unicode value,
private use, control codes, replacement characters), when its words can't be words (one letter each, or fifty), or when
it is only a stamp on a scan: few characters on a page that a picture covers.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

#: Characters below which a text layer on a page covered by a picture is taken for a stamp ("Scanned by …").
STAMP_CHARACTERS = 60
#: Share of the page that a picture must cover to be a scan of it.
SCAN_COVERAGE = 0.5

_BAD_CATEGORIES = frozenset({"Cc", "Co", "Cn", "Cs"})
#: Scripts written without spaces, where a long run of letters is no sign of a broken layer.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True, slots=True)
class TextQuality:
    """How good a text layer looks."""

    characters: int
    """Code points without white space."""
    bad_share: float
    """0-1; share of characters that can't be text."""
    odd_word_share: float
    """0-1; share of words that can't be words."""

    @property
    def score(self) -> float:
        """0-1; 1 is a clean text layer."""
        return max(0.0, 1.0 - 2.0 * self.bad_share - 0.8 * self.odd_word_share)


def judge(words: list[str], unmapped: int = 0) -> TextQuality:
    """Judge the words of one page.

    Parameters
    ----------
    words
        As read from the text layer.
    unmapped
        Characters for which the font has no Unicode value.
    """
    text = "".join(words)
    if not text:
        return TextQuality(0, 0.0, 0.0)
    bad = sum(
        1 for character in text if character == "\ufffd" or unicodedata.category(character) in _BAD_CATEGORIES
    )
    odd = sum(1 for word in words if _is_odd(word))
    # Single letters are words in any text ("a", "y", "1"): only a page made of them is broken.
    singles = sum(1 for word in words if len(word) == 1 and word.isalpha() and not _unspaced(word))
    single_share = singles / len(words)
    odd_share = odd / len(words) + (single_share if single_share > 0.6 and len(words) > 20 else 0.0)
    return TextQuality(len(text), min(1.0, max(bad, unmapped) / len(text)), min(1.0, odd_share))


def usable(quality: TextQuality, picture_coverage: float, min_score: float) -> bool:
    """Whether the text layer is read; otherwise the picture is.

    Parameters
    ----------
    quality
        From :func:`judge`.
    picture_coverage
        0-1; share of the page that its largest picture covers.
    min_score
        Least :attr:`TextQuality.score`.
    """
    if not quality.characters:
        return False
    if picture_coverage >= SCAN_COVERAGE and quality.characters < STAMP_CHARACTERS:
        return False
    return quality.score >= min_score


def _unspaced(word: str) -> bool:
    return unicodedata.name(word[0], "").startswith(_UNSPACED)


def _is_odd(word: str) -> bool:
    """Whether no language has such a word: very long, or letters and signs mixed at random."""
    if len(word) > 45:
        return not (_unspaced(word) or any(mark in word for mark in "/.-_@=%&"))
    signs = sum(1 for character in word if unicodedata.category(character)[0] in "PS")
    letters = sum(1 for character in word if character.isalpha())
    return letters >= 2 and signs > letters
