"""Numbers as the field prints them: 0.8912(4)."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

MISSING = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FROM_SUPERSCRIPT = {sign: digit for digit, sign in SUPERSCRIPT.items()}
ASCII = str.maketrans(
    {"−": "-", MISSING: "-", "×": "x", "≥": ">=", "≤": "<=", "∞": "inf", "µ": "u"}
    | {"β": "beta", "τ": "tau", "Δ": "d", "⟨": "<", "⟩": ">", "✓": "+", "✗": "x"}
)


def number(value: Any) -> float:
    """A number of `summary.json`, NaN where it is null, absent or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def format_error(mean: float, error: float) -> str:
    """A value with its error in parenthesis notation: 0.8912(4), 0.52(13), 1.5(1.2), 3.20(4)×10⁻⁷.

    The error has one significant digit, two where the first is a 1. An exact value (error 0) prints
    as `format_number` prints it, and one whose error is unknown (NaN or infinite) with two digits:
    no more of them is known. Infinite values print as ∞.
    """
    if not math.isfinite(mean) or error == 0:
        return format_number(mean)
    if not math.isfinite(error):
        return format_number(mean, 2)
    error = abs(error)
    size = max(abs(mean), error)
    if not 1e-4 <= size < 1e6:
        exponent = math.floor(math.log10(size))
        scaled = format_error(mean / 10.0**exponent, error / 10.0**exponent)
        return f"{scaled}×10{superscript(exponent)}"
    digits = math.floor(math.log10(error))
    leading = error / 10.0**digits
    places = (1 if leading < 1.95 else 0) - digits
    if leading >= 9.5:
        places = -digits
    rounded = round(error, places)
    if places <= 0:
        return f"{trim(round(mean, places))}({trim(rounded)})"
    inside = f"{rounded:.{places}f}" if rounded >= 1 else f"{round(rounded * 10**places)}"
    return f"{minus(f'{mean:.{places}f}')}({inside})"


def format_bound(value: float, error: float, *, lower: bool = False, upper: bool = False) -> str:
    """A value with its error, after ≥ where it is a lower bound and ≤ where it is an upper one.

    A value that may be off either way has no sign: nothing is known of it. Neither has one that is
    missing or infinite.
    """
    text = format_error(value, error)
    if lower == upper or not math.isfinite(value):
        return text
    return f"{'≥' if lower else '≤'} {text}"


def format_lattice(lattice: Iterable[int]) -> str:
    """The extents of a lattice: 8×8."""
    return "×".join(str(length) for length in lattice)


def printable(text: str, encoding: str) -> str:
    """A text for a terminal whose encoding may lack the signs of this file: then in ASCII."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        exponents = f"[{''.join(map(chr, FROM_SUPERSCRIPT))}]+"
        text = re.sub(exponents, lambda found: f"^{found[0].translate(FROM_SUPERSCRIPT)}", text)
        return text.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def format_number(value: float, digits: int = 4) -> str:
    """A value with no error, to `digits` significant digits; `MISSING` for NaN."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 6:
        return minus(f"{float(f'{value:.{digits}g}'):,.{max(digits - 1 - exponent, 0)}f}")
    return f"{minus(f'{value / 10.0**exponent:.{digits - 1}f}')}×10{superscript(exponent)}"


def format_integer(value: float) -> str:
    """An integer with thousands separated."""
    return f"{round(value):,}" if math.isfinite(value) else format_number(value)


def format_signed(value: float) -> str:
    """A z-score: +0.43."""
    return minus(f"{value:+.2f}") if math.isfinite(value) else format_number(value)


def format_seconds(seconds: float) -> str:
    """A duration in the unit that suits it, from microseconds to hours."""
    if not math.isfinite(seconds):
        return format_number(seconds)
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    if seconds >= 100:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    for scale, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * scale >= 1:
            return f"{format_number(seconds * scale, 3)} {unit}"
    return f"{format_number(seconds * 1e6, 3)} µs"


def superscript(exponent: int) -> str:
    """An integer in superscript digits."""
    return str(exponent).translate(SUPERSCRIPT)


def minus(text: str) -> str:
    """The minus sign in place of the hyphen."""
    return text.replace("-", "−")


def trim(value: float) -> str:
    """An integer-valued float without its decimals."""
    return minus(f"{value:.0f}")
