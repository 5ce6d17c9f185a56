"""How the numbers of an advice are said: a quantity with its range, money, durations, shares."""

from advice.situation import Quantity


def number(value: float) -> str:
    """`30,000`, `13.4`, `0.18`: as many digits as help."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def said(value: float, unit: str) -> str:
    """One number in its unit: `94 %`, `180 ms`, `$0.04`, `30,000 requests a month`."""
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit.startswith("share "):
        return f"{100 * value:.1f} % {unit.removeprefix('share ')}"
    if unit == "s":
        return f"{1000 * value:,.0f} ms" if abs(value) < 1 else f"{number(value)} s"
    if unit == "USD" or unit.startswith("USD "):
        shown = f"${value:,.0f}" if abs(value) >= 100 else f"${value:,.2f}" if abs(value) >= 0.1 else f"${value:.2g}"
        return f"{shown}{unit.removeprefix('USD')}"
    return f"{number(value)} {unit}".strip()


def quantity(found: Quantity) -> str:
    """`94.1 % (91.0 % to 96.4 %)`; without the range where there is none."""
    value = said(found.value, found.unit)
    if found.low == found.high:
        return value
    return f"{value} ({said(found.low, _short(found.unit))} to {said(found.high, _short(found.unit))})"


def _short(unit: str) -> str:
    return unit if unit in ("share", "s", "USD") else "USD" if unit.startswith("USD ") else _only_number(unit)


def _only_number(unit: str) -> str:
    return "share" if unit.startswith("share ") else ""
