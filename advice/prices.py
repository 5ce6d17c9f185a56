"""List prices: of machines and hosted endpoints from `prices.yaml`, of tokens as a flow hands them in.

Each price in the file has a source and a day; nothing in it is guessed. It is read as strictly as a task's folder: an
unknown key, a price without a source, a key given twice and an alias are refused, because a wrong price makes a wrong
decision that looks right. Token prices come from LiteLLM's table, which this room may not open. One real row:

    Listed(name="NVIDIA L4, Modal", fits="small", usd_per_hour=0.7992, source="https://modal.com/pricing",
           via="https://techbytes.app/...", as_of=date(2026, 5, 7))
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import Field, ValidationError

from advice import strict
from advice.situation import Origin, Quantity, Size
from records.errors import InputError
from records.types import Record

FILE = Path(__file__).with_name("prices.yaml")


class Listed(Record):
    """One list price: US dollars an hour of one machine. Grain: one per machine, vendor and day."""

    name: str = Field(min_length=1)
    fits: Size
    usd_per_hour: float = Field(gt=0, le=1000, allow_inf_nan=False)
    source: str = Field(pattern=r"^https://\S+$")
    via: str = Field(default="", pattern=r"^(https://\S+)?$")
    as_of: date


class Prices(Record):
    """What `prices.yaml` holds."""

    machines: list[Listed] = Field(min_length=1)
    endpoints: list[Listed] = Field(min_length=1)


class TokenPrices(Record):
    """What a model's tokens cost, US dollars per million; without a price of its own a batch costs the same."""

    model: str
    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    batch_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    batch_output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    source: str = "LiteLLM's local price table"

    def request(self, tokens_in: float, tokens_out: float) -> float:
        """US dollars of one request."""
        return (tokens_in * self.input + tokens_out * self.output) / 1e6

    def batch_discount(self, tokens_in: float, tokens_out: float) -> float:
        """The share of a request's price that the provider's batch API saves; 0 where there is none."""
        full = self.request(tokens_in, tokens_out)
        if self.batch_input is None or self.batch_output is None or full == 0:
            return 0.0
        return max(0.0, 1 - (tokens_in * self.batch_input + tokens_out * self.batch_output) / 1e6 / full)


class Rates(Record):
    """Token prices that a flow looked up: of the teacher, and of a hosted fine-tuned model."""

    teacher: TokenPrices | None = None
    tuned: TokenPrices | None = None


def load(path: Path = FILE) -> Prices:
    """The list prices. Raises InputError with the entry and the cure."""
    try:
        return Prices.model_validate(strict.read(path))
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']} (given: {str(first['input'])[:80]!r}).") from fault


def range_of(listed: Sequence[Listed], fits: Size) -> Quantity:
    """The price of a machine that fits, as a range over the vendors: the middle one, the cheapest, the dearest."""
    found = sorted((one for one in listed if one.fits == fits), key=lambda one: one.usd_per_hour)
    if not found:
        raise InputError(f"no machine in the price list fits a {fits} student. Add one, or give a price.")
    middle = found[len(found) // 2]
    days = sorted(one.as_of for one in found)
    source = f"list prices of {len(found)}: {found[0].name}, to {found[-1].name} ({days[0]} to {days[-1]})"
    low, high = found[0].usd_per_hour, found[-1].usd_per_hour
    values = {"value": middle.usd_per_hour, "low": low, "high": high}
    return Quantity(**values, unit="USD an hour", origin=Origin.estimated, source=source)
