"""Numbers as people read them: sizes, counts, times, shares, layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from hub_cards.facts import Measurement, ScoreRow
from hub_cards.text import escape_markdown


def size(size_bytes: int) -> Markup:
    """Bytes in decimal units, as the Hub and file managers show them."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    if unit == "bytes":
        return Markup(f"{size_bytes} bytes")
    return Markup(f"{value:.0f} {unit}" if value >= 99.5 else f"{value:.1f} {unit}")


def count(number: int) -> Markup:
    """A whole number, in words from a million on."""
    for divisor, word in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= divisor:
            return Markup(f"{number / divisor:.2f} {word}")
    return Markup(f"{number:,}")


def grams(amount: float) -> Markup:
    """A weight in grams, or in kilograms from one on."""
    return Markup(f"{amount / 1000:.3g} kg" if amount >= 999.5 else f"{amount:.3g} g")


def duration(seconds: float) -> Markup:
    """A time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return Markup(f"{max(whole, 1)} s")
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return Markup(f"{hours} h {minutes} min" if minutes else f"{hours} h")
    return Markup(f"{minutes} min {rest} s" if rest else f"{minutes} min")


def percent(share: float) -> Markup:
    """A share of 0 to 1 as a percentage that is never rounded to nothing."""
    if 0 < share < 0.01:
        return Markup("less than 1%")
    return Markup(f"{share:.0%}")


def ranges(numbers: Sequence[int]) -> Markup:
    """Indices as ranges: `0–3 and 28–31`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return listing(Markup(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0])) for run in runs)


def listing(items: Iterable[object]) -> Markup:
    """The items as a list in a sentence; those that are not safe yet are escaped."""
    words = [item if isinstance(item, Markup) else escape_markdown(str(item)) for item in items]
    if len(words) < 2:
        return Markup("".join(words))
    return Markup(f"{', '.join(words[:-1])} and {words[-1]}")


def score(measured: Measurement | None, decimals: int) -> Markup:
    """A score with its 95% interval, or a dash where it was not measured."""
    if measured is None:
        return Markup("–")
    text = f"{measured.value:.{decimals}f}"
    if measured.low is not None and measured.high is not None:
        text += f" ({measured.low:.{decimals}f}–{measured.high:.{decimals}f})"
    return Markup(text)


def difference(row: ScoreRow) -> Markup:
    """Adapted minus base with its sign; `~` before what may be chance."""
    if row.difference is None:
        return Markup("–")
    mark = "\\~" if row.change == "same" else ""  # plain, it would strike text out
    return Markup(f"{mark}{row.difference:+.{row.decimals}f}".replace("-", "−"))
