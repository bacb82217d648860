"""What the parts of one run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dynaguard.call import StatementRef
from dynaguard.errors import RunbookError
from dynaguard.policy.model import BudgetStatement

if TYPE_CHECKING:
    from dynaguard.guard import Guard
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.interaction import Interaction
    from dynaguard.runbooks.journal import Journal
    from dynaguard.runbooks.masking import RunMasks
    from dynaguard.runbooks.results import RunEvent, StepRecord
    from dynaguard.runbooks.spending import Spending


class Clients(Protocol):
    """Gives the clients of a run: of its session, guarded."""

    def client(self, service: str, region: str | None = None, *, is_once: bool = False) -> Any:
        """A client.

        Args:
            service: botocore's service name.
            region: Its region; None: the run's.
            is_once: Whether it makes one attempt of each call.
        """
        ...


@dataclass(slots=True)
class RunState:
    """One run while it is under way. One thread.

    Attributes:
        bound: The runbook with its parameters.
        task: Id of the task.
        guard: The guard in force.
        clients: Gives clients.
        journal: What is done so far, on disk.
        spending: What is used of the limits.
        masks: The runbook's own masks.
        interaction: Whom it talks to.
        doubtful: What is to become of a write that adds and is in doubt; None: the run ends there.
        known_steps: Steps that an earlier start completed.
        results: What each step gave, as places are filled with it.
        outputs: The same as it may be shown.
        records: How each step ended.
        place: Number of the step that is under way, and of how many.
    """

    bound: BoundRunbook
    task: str
    guard: Guard
    clients: Clients
    journal: Journal
    spending: Spending
    masks: RunMasks
    interaction: Interaction
    doubtful: Literal["done", "repeat"] | None = None
    known_steps: frozenset[str] = frozenset()
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    records: list[StepRecord] = field(default_factory=list)
    place: tuple[int, int] = (0, 0)

    @property
    def keys_by_table(self) -> Mapping[str, tuple[str, ...]]:
        """Key attribute names by table, where the document tells."""
        tables = self.bound.runbook.tables
        return {table: schema.key.attributes for table, schema in tables.items()}

    @property
    def has_budgets(self) -> bool:
        """Whether the guard decides about repeats, which knows what may not be repeated."""
        return self.guard.rooms.budgets is not None

    def limit_attempts(self, *, is_once: bool) -> None:
        """Sets the retry budget of the next call: the runbook's, of one attempt where asked."""
        budgets, own = self.guard.rooms.budgets, self.bound.runbook.budget
        if budgets is None:
            return
        if is_once:
            given = own or BudgetStatement(StatementRef("runbook"))
            once = replace(given, ref=replace(given.ref, sid="once"), max_attempts=1)
            budgets.made().adopt(self.task, once)
        else:
            budgets.made().adopt(self.task, own)

    def tell(self, event: RunEvent) -> None:
        """Tells who listens."""
        self.interaction.on_event(event)

    def error(self, what: str, step: str | None) -> RunbookError:
        """The error that ends the run at a step."""
        name = self.bound.runbook.name
        return RunbookError(f"runbook `{name}`: {what}", runbook=name, step=step)
