"""Decides in which order the characters of a line stand: the Unicode bidirectional algorithm (UAX #9, revision 50).

Rules P2-P3, W1-W7, N0-N2, I1-I2, L1 and L2. Explicit embeddings and overrides (X1-X8) are not obeyed on purpose: in a
file name they serve to disguise it (``\u202egnp.exe``), so they are printed as codes before this module sees them.
Mirroring (L4) is left to the shaper.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_NEUTRAL = {"B", "S", "WS", "ON"}
_PAIRS = {"(": ")", "[": "]", "{": "}", "«": "»", "<": ">", "⟨": "⟩", "【": "】", "「": "」", "（": "）"}


def base_level(text: str) -> int:
    """0 where the first strong character runs left to right or there is none, else 1 (P2, P3)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in {"L", "R", "AL"}:
            return 0 if kind == "L" else 1
    return 0


def _weak(kinds: list[str], sor: str) -> None:
    """Resolve numbers and what belongs to them, in place (W1-W7)."""
    before, strong = sor, sor
    for i, kind in enumerate(kinds):  # W1, W2 and W3
        if kind == "NSM":
            kinds[i] = before
        elif kind == "EN" and strong == "AL":
            kinds[i] = "AN"
        if kind in {"L", "R", "AL"}:
            strong = kind
        before = kinds[i]
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]
    for i in range(1, len(kinds) - 1):  # W4
        left, kind, right = kinds[i - 1], kinds[i], kinds[i + 1]
        if left == right and ((kind == "ES" and left == "EN") or (kind == "CS" and left in {"EN", "AN"})):
            kinds[i] = left
    _terminators(kinds)
    strong = sor
    for i, kind in enumerate(kinds):  # W6 and W7
        if kind in {"ES", "ET", "CS"}:
            kinds[i] = "ON"
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"
        if kind in {"L", "R"}:
            strong = kind


def _terminators(kinds: list[str]) -> None:
    """A run of ``ET`` beside a European number belongs to it (W5)."""
    i = 0
    while i < len(kinds):
        if kinds[i] != "ET":
            i += 1
            continue
        end = i
        while end < len(kinds) and kinds[end] == "ET":
            end += 1
        if (i and kinds[i - 1] == "EN") or (end < len(kinds) and kinds[end] == "EN"):
            kinds[i:end] = ["EN"] * (end - i)
        i = end


def _side(kind: str) -> str:
    return "L" if kind == "L" else "R" if kind in {"R", "EN", "AN"} else ""


def _brackets(text: str, kinds: list[str], embedding: str, sor: str) -> None:
    """A pair of brackets takes one direction (N0)."""
    opened: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for i, character in enumerate(text):
        if kinds[i] != "ON":
            continue
        if character in _PAIRS:
            opened.append((_PAIRS[character], i))
        else:
            match = next((n for n in range(len(opened) - 1, -1, -1) if opened[n][0] == character), None)
            if match is not None:
                pairs.append((opened[match][1], i))
                del opened[match:]
    for start, end in sorted(pairs):
        inside = {_side(kind) for kind in kinds[start + 1 : end]} - {""}
        if embedding in inside:
            kinds[start] = kinds[end] = embedding
        elif inside:
            before = next((s for kind in reversed(kinds[:start]) if (s := _side(kind))), sor)
            kinds[start] = kinds[end] = before if before in inside else embedding


def _neutral(kinds: list[str], embedding: str, sor: str) -> None:
    """Neutrals take the direction of both neighbours, or the embedding's (N1, N2)."""
    i = 0
    while i < len(kinds):
        if kinds[i] not in _NEUTRAL and kinds[i] != "BN":
            i += 1
            continue
        end = i
        while end < len(kinds) and (kinds[end] in _NEUTRAL or kinds[end] == "BN"):
            end += 1
        left = _side(kinds[i - 1]) if i else sor
        right = _side(kinds[end]) if end < len(kinds) else embedding
        kinds[i:end] = [left if left == right else embedding] * (end - i)
        i = end


@lru_cache(maxsize=4096)
def levels(text: str) -> tuple[int, ...]:
    """Embedding level of each character; even runs left to right, odd right to left."""
    base = base_level(text)
    if text.isascii():
        return (0,) * len(text)
    embedding = "R" if base else "L"
    kinds = [unicodedata.bidirectional(c) or "L" for c in text]
    kinds = [
        "BN" if kind in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} else kind
        for kind in kinds
    ]
    _weak(kinds, embedding)
    _brackets(text, kinds, embedding, embedding)
    _neutral(kinds, embedding, embedding)
    if base:
        return tuple(2 if kind in {"L", "EN", "AN"} else 1 for kind in kinds)
    return tuple(1 if kind == "R" else 2 if kind in {"EN", "AN"} else 0 for kind in kinds)


def visual(line: list[int]) -> list[int]:
    """Indices of a line's runs from left to right, by their levels (L2)."""
    order = list(range(len(line)))
    if not line:
        return order
    odd = [level for level in line if level % 2]
    for level in range(max(line), min(odd, default=max(line) + 1) - 1, -1):
        i = 0
        while i < len(order):
            end = i
            while end < len(order) and line[order[end]] >= level:
                end += 1
            if end > i:
                order[i:end] = order[i:end][::-1]
                i = end
            i += 1
    return order
