"""What each way to answer costs, month by month, for many draws of the assumptions at once.

Arrays are of shape (draws, months), US dollars a month unless said. The ways:

- prompting: the teacher answers; a cache saves repeated requests, the batch API half the price of those that can wait
- self-hosted: a student on machines of one's own, paid by the hour whether busy or not, at least one, and whole
- hosted by the hour: the same on a provider's endpoint; hosted by the token: a fine-tuned model at a price a request

A machine holds what it answers in a second, times the share of that which is planned for, in the busiest hour. What is
more than the machines hold goes to the teacher, as the gateway does it: a further machine is rented only where that is
cheaper than its requests at the teacher's price. So one request more never makes the student look worse, though
machines are whole. Of the busiest hour's excess, the same share of all hours is taken, which is the most it can be.
Where nothing may leave, there is no teacher to turn to, and machines are rented for all.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advice.draws import Array

MONTH_H = 30.44 * 24
Draws = dict[str, "Array"]


@dataclass(frozen=True)
class Monthly:
    """What a way costs: `running` for answering, `upkeep` for retraining and monitoring; machines, if it has any."""

    running: "Array"
    upkeep: "Array"
    machines: "Array | None" = None

    @property
    def total(self) -> "Array":
        """US dollars a month, shape (draws, months)."""
        total: Array = self.running + self.upkeep
        return total


def asked(draws: Draws, months: int) -> "Array":
    """Requests a month that reach a model: what comes, grown month by month, less what a cache answers."""
    import numpy as np

    grown = (1 + draws["growth"][:, None]) ** np.arange(months)
    return (draws["monthly_requests"] * (1 - draws["repeated_share"]))[:, None] * grown


def teacher_price(draws: Draws) -> "Array":
    """US dollars a request to the teacher, with batches for what can wait; shape (draws, 1)."""
    return (draws["teacher_cost"] * (1 - draws["batchable_share"] * draws["batch_discount"]))[:, None]


def prompting(draws: Draws, months: int) -> Monthly:
    """The teacher answers everything."""
    import numpy as np

    cost = asked(draws, months) * teacher_price(draws)
    return Monthly(cost, np.zeros_like(cost))


def on_machines(draws: Draws, months: int, price: str, overflow: bool) -> Monthly:
    """A student on whole machines at `price` (a name of the assumptions) an hour; `overflow`: the rest may be asked."""
    import numpy as np

    requests, rent = asked(draws, months), draws[price][:, None] * MONTH_H
    planned = draws["student_throughput"] * draws["utilisation"] / draws["peak_to_mean"]
    holds = (planned * MONTH_H * 3600)[:, None]
    if not overflow:
        machines = np.maximum(1, np.ceil(requests / holds))
        return Monthly(machines * rent, _upkeep(draws, months), machines)
    full = np.floor(requests / holds)
    rest_pays = (requests - full * holds) * teacher_price(draws) > rent
    machines = np.where(holds * teacher_price(draws) > rent, np.maximum(1, full + rest_pays), 1)
    rest = np.maximum(0, requests - machines * holds)
    return Monthly(machines * rent + rest * teacher_price(draws), _upkeep(draws, months), machines)


def by_token(draws: Draws, months: int) -> Monthly:
    """A hosted fine-tuned model that is paid by the token."""
    return Monthly(asked(draws, months) * draws["hosted_cost"][:, None], _upkeep(draws, months))


def once(draws: Draws) -> "Array":
    """US dollars before the first answer of a student: engineering, labels, the first training run; shape (draws,)."""
    return draws["engineering_cost"] + draws["labels_needed"] * draws["label_cost"] + draws["training_cost"]


def _upkeep(draws: Draws, months: int) -> "Array":
    """Retraining, spread evenly over the months between, and monitoring with the reviewing of the audit sample."""
    import numpy as np

    monthly = draws["training_cost"] / draws["retrain_every_months"] + draws["monitoring_cost"]
    return np.repeat(monthly[:, None], months, axis=1)


def payback(saving: "Array", upfront: "Array") -> "Array":
    """Months until what is saved has paid what was spent before, within a month by its share; inf: not in these months.

    `saving` has shape (draws, months), `upfront` (draws,); the answer (draws,).
    """
    import numpy as np

    saved = np.cumsum(saving, axis=1)
    reached = saved >= upfront[:, None]
    first = np.argmax(reached, axis=1)
    rows = np.arange(len(saved))
    before = np.where(first > 0, saved[rows, first - 1], 0.0)
    step = saving[rows, first]
    within = np.divide(upfront - before, step, out=np.zeros_like(step), where=step > 0)
    return np.where(reached.any(axis=1), first + np.clip(within, 0, 1), np.inf)
