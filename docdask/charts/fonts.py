"""Finds, for any text, font files that have its characters, and says which characters none has.

Order: Noto Sans (a dependency: Latin, Greek, Cyrillic, Devanagari), DejaVu Sans (comes with matplotlib: Arabic,
Hebrew, Armenian, Georgian, symbols), Noto packages of the extra ``fonts`` where installed (Thai, Chinese, Japanese,
Korean …), then the fonts of the system. Only fonts with outlines count: colour bitmaps can't be drawn as vectors. What
no font has is written as its code, ``[U+6587]``: honest, and never an empty box.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

#: Packages that hold fonts, beyond the base: import name. All under the SIL Open Font License.
PACKAGES = (
    "fontpkg_noto_sans_thai", "fontpkg_noto_sans_arabic", "fontpkg_noto_sans_devanagari", "fontpkg_noto_sans_khmer",
    "fontpkg_noto_sans_tamil", "fontpkg_noto_sans_telugu", "noto_cjk_sans_otc", "noto_cjk_sans_jp_regular",
)  # fmt: skip

#: Characters that carry no ink of their own, so no font need have them.
_INKLESS = ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs")


@dataclass(frozen=True, slots=True)
class Face:
    """One font: its file, its number in a collection (0 for a plain file), its family and whether it has weights."""

    path: Path
    number: int
    family: str

    @property
    def coverage(self) -> frozenset[int]:
        """Code points it has."""
        return _coverage(self.path, self.number)


@lru_cache(maxsize=512)
def _read(path: Path, number: int) -> tuple[str, frozenset[int]]:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=number, lazy=True) as font:
            if "glyf" not in font and "CFF " not in font:
                return "", frozenset()
            family = font["name"].getBestFamilyName() or path.stem
            return family, frozenset(font.getBestCmap() or {})
    except (TTLibError, OSError, KeyError, AssertionError, ValueError):
        return "", frozenset()  # a broken font of the system is no reason to have no report


def _coverage(path: Path, number: int) -> frozenset[int]:
    return _read(path, number)[1]


def _face(path: Path) -> Face | None:
    family, coverage = _read(path, 0)
    return Face(path, 0, family) if coverage else None


def _files(package: str) -> list[Path]:
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return sorted(
        path
        for place in places
        for path in Path(place).rglob("*")
        if path.suffix.lower() in {".ttf", ".otf", ".ttc"} and "Italic" not in path.name
    )


@lru_cache(maxsize=1)
def base() -> tuple[Face, ...]:
    """Noto Sans and DejaVu Sans: always there."""
    import matplotlib as mpl

    paths = [*_files("fontpkg_noto_sans"), Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"]
    return tuple(face for path in paths if (face := _face(path)))


@lru_cache(maxsize=1)
def _packaged() -> tuple[Face, ...]:
    return tuple(face for name in PACKAGES for path in _files(name) if (face := _face(path)))


@lru_cache(maxsize=1)
def _system() -> tuple[Path, ...]:
    """Regular fonts of the system, those made to cover scripts first."""
    from matplotlib.font_manager import findSystemFonts

    def rank(path: Path) -> tuple[int, str]:
        name = path.name.lower()
        order = ("notosans", "noto", "sourcehan", "droidsans", "wqy")
        first = next((i for i, start in enumerate(order) if name.startswith(start)), len(order))
        return first, str(path)

    slanted = ("italic", "oblique", "bold", "thin", "light", "black", "mono", "emoji", "lastresort")
    paths = {Path(name) for name in findSystemFonts()}
    plain = (p for p in paths if not any(word in p.name.lower() for word in slanted))
    return tuple(sorted(plain, key=rank))


def _wanted(texts: Iterable[str]) -> frozenset[int]:
    characters: set[str] = set()
    for text in texts:
        characters.update(text)
    return frozenset(ord(c) for c in characters if unicodedata.category(c) not in _INKLESS)


def faces(texts: Iterable[str] = ()) -> tuple[Face, ...]:
    """Fonts that together have every character of ``texts`` that any font here has, in order of preference."""
    found = list(base())
    missing = set(_wanted(texts)).difference(*(face.coverage for face in found))
    if missing:
        for face in _packaged():
            if missing & face.coverage:
                found.append(face)
                missing -= face.coverage
    if missing:
        _add_system(found, frozenset(missing))
    return tuple(found)


@lru_cache(maxsize=64)
def _from_system(missing: frozenset[int]) -> tuple[Face, ...]:
    found: list[Face] = []
    left = set(missing)
    for path in _system():
        face = _face(path)
        if face and left & face.coverage:
            found.append(face)
            left -= face.coverage
            if not left:
                break
    return tuple(found)


def _add_system(found: list[Face], missing: frozenset[int]) -> None:
    found.extend(_from_system(missing))


def printable(text: str, among: tuple[Face, ...] | None = None) -> str:
    """``text`` with what can't be drawn written out.

    Control characters become spaces; a character that no font has becomes its code, ``[U+6587]``.
    """
    have = faces([text]) if among is None else among
    out = []
    for character in text:
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            out.append(" ")
        elif 0xFE00 <= ord(character) <= 0xFE0F:
            continue  # asks for a picture or for plain text: all is plain here
        elif category == "Cs" or 0x202A <= ord(character) <= 0x202E:
            out.append(f"[U+{ord(character):04X}]")  # an override would disguise what follows
        elif category in _INKLESS or any(ord(character) in face.coverage for face in have):
            out.append(character)
        else:
            out.append(f"[U+{ord(character):04X}]")
    return "".join(out)


_registered: set[Path] = set()


def families(texts: Iterable[str] = ()) -> tuple[str, ...]:
    """Family names for matplotlib's ``font.family``, with their files made known to it."""
    from matplotlib import font_manager

    names: list[str] = []
    for face in faces(texts):
        if face.path not in _registered:
            _registered.add(face.path)
            font_manager.fontManager.addfont(face.path)
        name = font_manager.get_font(str(face.path)).family_name
        if name not in names:
            names.append(name)
    return tuple(names)
