"""The lanes of a process, and which of them a call goes through.

A call goes through the lane of each resource that it names; through that of an index whose
throttle held back writes to the table; of a hot partition key, once AWS said that there is one;
and of the account, once AWS said that its limit is reached. Bounded; not thread-safe.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from dynaguard.budgets.lane import Lane
from dynaguard.budgets.lease import Lease, Reach
from dynaguard.budgets.load import Cause, Limit, Load, Part
from dynaguard.budgets.rate import AdaptiveRate
from dynaguard.budgets.recent import Recent
from dynaguard.errors import readable_arn

LINK_S: Final = 60.0
"""An index holds its table's writes back for so long after its last throttle."""


class LaneKey(NamedTuple):
    """Which lane.

    Attributes:
        resource: As in `Part`; `REGION/ACCOUNT` for the account's.
        is_write: Reads and writes have lanes of their own.
        key_hash: Of one partition key value, or None for the whole resource.
    """

    resource: str
    is_write: bool
    key_hash: int | None = None


class Lanes:
    """Lanes by resource.

    Args:
        make_rate: Makes the rate of a new lane, from its key and the clock.
        is_coordinated: Whether a coordinator shares the rates of whole resources.
        max_lanes: Bound; beyond it the least recently used lane is forgotten.
    """

    __slots__ = (
        "_accounts",
        "_hot",
        "_is_coordinated",
        "_lanes",
        "_links",
        "_make_rate",
        "_reach",
    )

    def __init__(
        self,
        make_rate: Callable[[LaneKey, float], AdaptiveRate],
        *,
        max_lanes: int,
        is_coordinated: bool = False,
    ) -> None:
        self._make_rate = make_rate
        self._is_coordinated = is_coordinated
        self._reach = Reach()
        self._lanes: Recent[LaneKey, Lane] = Recent(max_lanes)
        self._links: dict[LaneKey, dict[LaneKey, float]] = {}
        self._hot: set[LaneKey] = set()
        self._accounts: set[LaneKey] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lanes)

    def items(self) -> list[tuple[LaneKey, Lane]]:
        """All of them."""
        return list(self._lanes.items())

    def get(self, key: LaneKey) -> Lane | None:
        """A lane, if it was ever needed."""
        return self._lanes.get(key)

    def open(self, key: LaneKey, now_s: float) -> Lane:
        """A lane, made when it is needed first."""
        lane = self._lanes.find(key)
        if lane is None:
            if len(self._lanes) >= self._lanes.max_size:
                self._forget_relations()
            lease = None
            if self._is_coordinated and key.key_hash is None:
                lease = Lease(_shared_name(key), self._reach)
            lane = Lane(self._make_rate(key, now_s), now_s, lease)
            self._lanes.add(key, lane)
        return lane

    @property
    def has_hot_keys(self) -> bool:
        """Whether a partition has a lane of its own."""
        return bool(self._hot)

    def only(self, load: Load) -> Lane | None:
        """The lane of a load that goes through that one alone, if it was needed before."""
        if len(load.parts) > 1 or self._links or self._hot or self._accounts:
            return None
        return self._lanes.find((load.parts[0].resource, load.is_write, None))  # type: ignore[arg-type]

    def of_load(self, load: Load, now_s: float) -> list[tuple[Lane, float]]:
        """The lanes that a call goes through, each with the units that it takes there."""
        found = []
        for part in load.parts:
            key = LaneKey(part.resource, load.is_write)
            found.append((self.open(key, now_s), part.units))
            if self._links or self._hot:
                found += self._related(key, part, now_s)
        if self._accounts:
            account = self._lanes.get(LaneKey(load.account, load.is_write))
            if account is not None:
                found.append((account, load.units))
        return found

    def of_cause(self, load: Load, part: Part, cause: Cause, now_s: float) -> Lane | None:
        """The lane that a throttle of a part is about.

        None where it is about one partition and the key is not known: the call waits alone then,
        and does not slow its table.
        """
        own = LaneKey(part.resource, load.is_write)
        if cause.limit is Limit.ACCOUNT:
            key = LaneKey(load.account, load.is_write)
            self._accounts.add(key)
            return self.open(key, now_s)
        if cause.limit is Limit.KEY_RANGE:
            if part.key_hash is None:
                return None
            key = own._replace(key_hash=part.key_hash)
            self._hot.add(key)
            return self.open(key, now_s)
        index = _index_of(cause.resource)
        if index is None or own.resource.endswith(f"/index/{index}"):
            return self.open(own, now_s)
        key = own._replace(resource=f"{_table_of(own.resource)}/index/{index}")
        self._links.setdefault(own, {})[key] = now_s + LINK_S
        return self.open(key, now_s)

    def _related(self, key: LaneKey, part: Part, now_s: float) -> list[tuple[Lane, float]]:
        """Lanes beside a resource's own: its throttled indexes, its hot keys."""
        found = []
        links = self._links.get(key, {})
        for other, until_s in list(links.items()):
            lane = self._lanes.get(other)
            if lane is None or until_s < now_s:
                del links[other]
            else:
                found.append((lane, part.units))
        if part.key_hash is not None:
            hot = self._lanes.get(key._replace(key_hash=part.key_hash))
            if hot is not None:
                found.append((hot, part.units))
        return found

    def _forget_relations(self) -> None:
        """A full house: relations to lanes that are gone go too."""
        self._hot = {key for key in self._hot if key in self._lanes}
        self._accounts = {key for key in self._accounts if key in self._lanes}
        self._links = {key: links for key, links in self._links.items() if key in self._lanes}


def _shared_name(key: LaneKey) -> str:
    """What all processes call a lane; the hash of a key is this process's own."""
    return f"{readable_arn(key.resource)}:{'write' if key.is_write else 'read'}"


def _index_of(arn: str) -> str | None:
    """The index in an ARN, or None."""
    _, mark, index = arn.partition("/index/")
    return index if mark else None


def _table_of(arn: str) -> str:
    """The table's ARN in that of its index."""
    return arn.partition("/index/")[0]


def rate_or_none(rate: AdaptiveRate, now_s: float) -> float | None:
    """The rate at `now_s`, None while there is no limit."""
    per_s = rate.per_s(now_s)
    return None if math.isinf(per_s) else per_s
