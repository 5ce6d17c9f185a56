"""The ways side by side: what each costs, has cost, and has saved, for the same draws of everything.

    found = reckon(draws.point(assumptions), overflow=True)
    found.net(Way.self_hosted)[0, 23]      # US dollars saved after two years, at the stated values

Arrays are of shape (draws, months) unless said. Which ways there are follows from what is known, and which may be
advised from the situation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advice import costs
from advice.assumptions import OPTIONAL
from advice.figures import Way
from advice.situation import Situation

if TYPE_CHECKING:
    from advice.draws import Array

HORIZON = 60
"""Months that are looked at: no model lives longer."""


@dataclass(frozen=True)
class Reckoning:
    """The draws, and what each way costs by month."""

    drawn: costs.Draws
    ways: dict[Way, costs.Monthly]

    def once(self) -> "Array":
        """US dollars before a student's first answer; shape (draws,)."""
        return costs.once(self.drawn)

    def spent(self, way: Way) -> "Array":
        """What a way has cost by the end of each month, with what it costs before the first."""
        import numpy as np

        before = 0 if way is Way.prompting else self.once()[:, None]
        spent: Array = np.cumsum(self.ways[way].total, axis=1) + before
        return spent

    def net(self, way: Way) -> "Array":
        """What a way has saved by the end of each month against prompting, less what it cost before."""
        return self.spent(Way.prompting) - self.spent(way)

    def pays_back(self, way: Way) -> "Array":
        """Months until the saving has paid what was spent before; infinity for never; shape (draws,)."""
        return costs.payback(self.ways[Way.prompting].total - self.ways[way].total, self.once())

    def times_cheaper(self, way: Way) -> "Array":
        """Prompting's first month over this way's; at most a million, where a student is free; shape (draws,)."""
        import numpy as np

        asking, ours = self.ways[Way.prompting].total[:, 0], self.ways[way].total[:, 0]
        return np.minimum(1e6, np.divide(asking, ours, out=np.where(asking > 0, 1e6, 1.0), where=ours > 0))


def reckon(drawn: costs.Draws, overflow: bool, ways: Iterable[Way] | None = None) -> Reckoning:
    """The months of some ways; None: of all whose price is known. `overflow`: the teacher may answer the rest."""
    months = {
        Way.prompting: lambda: costs.prompting(drawn, HORIZON),
        Way.self_hosted: lambda: costs.on_machines(drawn, HORIZON, "machine_price", overflow),
        Way.endpoint: lambda: costs.on_machines(drawn, HORIZON, "endpoint_price", overflow),
        Way.tokens: lambda: costs.by_token(drawn, HORIZON),
    }
    chosen = ways or (way for way in Way if way is not Way.tokens or OPTIONAL in drawn)
    return Reckoning(drawn, {way: months[way]() for way in chosen})


def barred(situation: Situation) -> dict[Way, str]:
    """Ways that the situation rules out, whatever they cost, with the reason."""
    if not (situation.data_may_not_leave or situation.offline):
        return {}
    reason = "the data may not leave" if situation.data_may_not_leave else "there is no network"
    return dict.fromkeys((Way.prompting, Way.endpoint, Way.tokens), reason)


def best_student(at_value: Reckoning, out: Iterable[Way], months: int) -> Way:
    """The student that has saved the most after so many months at the stated values, of those that are not `out`.

    One by the token whose request costs more than the teacher's is out too: it loses more the more it is used.
    """
    drawn = at_value.drawn
    dear = OPTIONAL in drawn and drawn[OPTIONAL][0] > costs.teacher_price(drawn)[0, 0]
    no = {Way.prompting, *out, *([Way.tokens] if dear else [])}
    return max((way for way in at_value.ways if way not in no), key=lambda way: at_value.net(way)[0, months - 1])
