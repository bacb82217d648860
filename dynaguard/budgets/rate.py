"""The rate that a resource takes from this process, learnt from its answers alone.

Pure arithmetic over the clock readings passed in: no clock, no lock, no sleep. Every constant is
relative to the rate itself or counts calls, so that it behaves alike at 1 and at 10,000 units/s.

    unlimited --throttle--> cut -> hold -> return (concave, to the anchor) -> probe (+2 %/s)
                             ^                                                   |
                             +---- throttle ------ take over (doubling) <--------+

What is accepted between two throttles, over the time between them, *is* the share of the
resource's capacity that this process gets, whatever is stored in AWS's bucket meanwhile: the
anchor. Answers to calls sent before the last cut tell nothing about the rate after it and do not
count (the sent-at rule).

Source: the shape is CUBIC's (RFC 9438) with relative growth; measurements in
`docs/retry-budgets.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.budgets.flow import Flow
from dynaguard.values import dataclass

CUT: Final = 0.6
"""Share of the anchor that is left after a cut: deep and rare wastes less than often."""
HOLD_S: Final = 0.4
RETURN_S: Final = 1.2
"""From a cut back to the anchor."""
PROBE_PER_S2: Final = 0.3
"""Growth beyond the anchor: so much of it, times the seconds squared. Doubled after 1.7 s."""
DOUBLING_S: Final = 0.7
"""From then on the rate doubles in this time."""
UNUSED: Final = 2.0
USE_FACTOR: Final = 1.25
"""What is in use lags behind what may be."""
FREED: Final = 1.4
FLOW_TRUST: Final = 0.15
"""Growth by which capacity must have become free; until then the average of the cycle is right."""

FIRST_PER_S: Final = 4.0
"""Where nothing was accepted before the first throttle; a search follows."""
STORED_SHARE: Final = 0.1
"""Of what flowed until the first throttle, nearly all of it stored capacity."""
EARNED_SHARE: Final = 0.5
"""Of what flowed until the throttle that ended the search."""
SEARCH_S: Final = 0.3
SEARCH_DOUBLING_S: Final = 0.3

KNOWN_LOW: Final = 0.6
"""Below this share of the remembered rate the resource counts as collapsed."""
AGAIN_S: Final = 0.8
"""Between two comebacks."""
HELD_S: Final = 0.3
"""How long a comeback must go well to be over."""
LOW_RETURN_S: Final = 0.4
LOW_DOUBLING_S: Final = 0.1
COMEBACK: Final = 1.0
"""Share of the remembered rate at which a comeback turns into probing."""
FLOOR_SHARE: Final = 0.012
"""Of the remembered rate: what batches ask for in a collapse, to learn that it is over."""
FLOOR_PER_S: Final = 0.05

CALLS_PER_RETURN: Final = 48.0
"""A slow process needs that many calls of its own to judge a rate."""
LOW_CALLS_PER_RETURN: Final = 1.5
HARD_UNITS: Final = 5
HARD_SHARE: Final = 0.25
HARD_S: Final = 0.03
"""Fresh units, the throttled share of them, and the time after which a cut was not enough."""
ALL_THROTTLED: Final = 2
HARDEST: Final = 0.25
"""What such a cut leaves at least: few answers are no proof that nothing is left."""
SOFT_THROTTLES: Final = 3
CONFIRMING_UNITS: Final = 30
"""Fresh throttles among so many fresh answers cut the rate again, to what was accepted since."""
LOOK_AGAIN_S: Final = 30.0
"""Between two searches for more, where a share is set."""
FLOW_S: Final = 0.3
"""Time constant of the accepted flow."""
LONG_FLOW_S: Final = 2.0
MEMORY_S: Final = 120.0
"""Time constant at which the remembered rate fades."""
LOW_MEMORY_S: Final = 60.0
"""In a collapse, which may be the new normal."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How deep a rate is cut, how long it takes to come back, how fast it looks for more.

    Attributes:
        cut: Share of the anchor that is left.
        hold_s, return_s: At the bottom, and until it is back at the anchor.
        probe_per_s2: Growth beyond: so much of the anchor, times the seconds squared.
        stored_share: Of what flowed until the first throttle: what is left.
        unused: Growth that needs no proof; beyond it the rate is bound to what is in use.
        search_doubling_s: While it searches, the rate doubles in this time.
        keeps_searching: Whether it goes on to search after the first cut, however much flowed.
    """

    cut: float = CUT
    hold_s: float = HOLD_S
    return_s: float = RETURN_S
    probe_per_s2: float = PROBE_PER_S2
    stored_share: float = STORED_SHARE
    unused: float = UNUSED
    search_doubling_s: float = SEARCH_DOUBLING_S
    keeps_searching: bool = False

    @property
    def doubled_s(self) -> float:
        """When it has doubled; from then on it grows exponentially."""
        return 1 / math.sqrt(self.probe_per_s2)


OWN: Final = Shape()
SHARED: Final = Shape(
    cut=0.85,
    hold_s=0.3,
    return_s=1.2,
    probe_per_s2=0.05,
    stored_share=EARNED_SHARE,
    unused=1.2,
    search_doubling_s=0.8,
    keeps_searching=True,
)
"""Of many processes that report a quarter of a second late: less, and slower."""


class AdaptiveRate:
    """Units per second; unlimited until the first throttle. Not thread-safe.

    Args:
        now_s: The clock at the start.
        shape: How it moves.
        hint_per_s: A capacity known from elsewhere; None: unlimited at first.
        max_share: Share of the capacity, known or learnt, that is asked for at most. Below 1.0 the
            rate stays there after a cut, and looks for more only every half minute.

    Attributes:
        is_limited: Whether there is a rate at all.
        remembered_per_s: What was accepted lately, in good times; 0.0 before it is known.
        cut_at_s: When the rate was cut last.
    """

    __slots__ = (
        "_anchor",
        "_cycle_s",
        "_cycle_units",
        "_flow",
        "_fresh_bad",
        "_fresh_ok",
        "_fresh_throttles",
        "_hold_s",
        "_is_low",
        "_is_searching",
        "_long_flow",
        "_low_return_s",
        "_max_per_s",
        "_max_share",
        "_remembered_at_s",
        "_return_s",
        "_shape",
        "_steady_from_s",
        "cut_at_s",
        "is_limited",
        "remembered_per_s",
    )

    def __init__(
        self,
        now_s: float,
        *,
        hint_per_s: float | None = None,
        max_share: float = 1.0,
        shape: Shape = OWN,
    ) -> None:
        self._shape = shape
        self._max_share = max_share
        self._max_per_s = math.inf if hint_per_s is None else hint_per_s * max_share
        self.is_limited = hint_per_s is not None
        self._anchor = self._max_per_s if self.is_limited else 0.0
        self.remembered_per_s = self._anchor
        self._remembered_at_s = self._cycle_s = now_s
        self.cut_at_s = -math.inf
        self._steady_from_s = now_s if self.is_limited else math.inf
        self._hold_s, self._return_s, self._is_low = shape.hold_s, shape.return_s, False
        self._is_searching = False
        self._low_return_s = LOW_RETURN_S
        self._cycle_units = self._fresh_ok = self._fresh_bad = 0.0
        self._fresh_throttles = 0
        self._flow, self._long_flow = Flow(FLOW_S, now_s), Flow(LONG_FLOW_S, now_s)

    def save(self) -> dict[str, Any]:
        """All that it knows, as numbers; for `restore`, in whichever process."""
        saved = {name: getattr(self, name) for name in _PLAIN}
        return {**saved, "flow": self._flow.save(), "long_flow": self._long_flow.save()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Becomes what was saved."""
        for name in _PLAIN:
            setattr(self, name, saved[name])
        self._flow.restore(saved["flow"])
        self._long_flow.restore(saved["long_flow"])

    def note_flow(self, now_s: float, units: float) -> None:
        """As `accepted`, while there is no limit."""
        self._flow.add(now_s, units)

    def flow_per_s(self, now_s: float) -> float:
        """Units accepted per second, just now."""
        return self._flow.per_s(now_s)

    @property
    def known_per_s(self) -> float:
        """What the resource is known to have taken: now, or in good times."""
        return max(self.remembered_per_s, self._anchor)

    # --- what answers tell -------------------------------------------------------------------

    def accepted(self, now_s: float, sent_at_s: float, units: float) -> None:
        """Takes in units that were accepted."""
        self._flow.add(now_s, units)
        if not self.is_limited:
            return
        self._long_flow.add(now_s, units)
        if sent_at_s > self.cut_at_s:
            self._fresh_ok += units
            self._cycle_units += units
        if self._is_low:
            self._end_comeback(now_s)
        if now_s - self._remembered_at_s > FLOW_S and now_s > self._steady_from_s:
            self._remember(now_s, self._long_flow.per_s(now_s))

    def throttled(self, now_s: float, sent_at_s: float, units: float = 1.0) -> bool:
        """Takes in a throttle of so many units; says whether it cut the rate."""
        if sent_at_s <= self.cut_at_s:
            return False
        self._fresh_bad += units
        self._fresh_throttles += 1
        if not self.is_limited or self._is_searching:
            self._cut_first(now_s)
            return True
        fresh = self._fresh_ok + self._fresh_bad
        share = self._fresh_bad / fresh
        # nothing accepted at all, twice: a slow process need not wait for five
        is_plain = self._fresh_ok == 0 and self._fresh_throttles >= ALL_THROTTLED
        is_judged = (fresh >= HARD_UNITS or is_plain) and now_s - self.cut_at_s > HARD_S
        is_hard = share >= HARD_SHARE and (is_judged or self._is_low)
        is_settled = now_s - self.cut_at_s > self._return_s
        is_confirmed = self._fresh_throttles >= SOFT_THROTTLES and fresh >= CONFIRMING_UNITS
        if not (is_hard or is_settled or is_confirmed):
            return False
        current = self.per_s(now_s)
        if self._is_low:
            self._fall_back(now_s, has_tried=is_settled)
        elif is_hard:
            # even the few that were accepted may have been the neighbours'
            self._cut(now_s, current * max(1 - share, HARDEST))
        else:
            is_freed = is_settled and current > FREED * self._anchor
            share = self._share_of_capacity(now_s, sent_at_s, is_freed=is_freed)
            self._cut(now_s, min(current, share))
        return True

    def search_from(self, now_s: float, per_s: float) -> None:
        """Has an unlimited rate begin at so many units per second, and double until a throttle.

        For whole batches: with no rate at all, dozens of them are under way when the first one is
        handed back.
        """
        self.is_limited, self._is_searching = True, True
        self._anchor, self._return_s = per_s, 0.0
        self.cut_at_s = self._cycle_s = now_s
        self._steady_from_s = now_s + 2 * LONG_FLOW_S

    def _cut_first(self, now_s: float) -> None:
        """The first throttle: what was accepted before was stored capacity, in part at least.

        How large a part nobody can tell. So it begins again far below, and doubles until the next
        one: that flow was earned.
        """
        is_second, self.is_limited = self._is_searching, True
        self._steady_from_s = now_s + 2 * LONG_FLOW_S
        flow_per_s = self._flow.per_s(now_s)
        share = EARNED_SHARE if is_second else self._shape.stored_share
        self._cut(now_s, max(share * flow_per_s, FIRST_PER_S))
        if not is_second or flow_per_s < FIRST_PER_S or self._shape.keeps_searching:
            self._is_searching, self._return_s = True, SEARCH_S

    def _end_comeback(self, now_s: float) -> None:
        """Back where it was: from here on it probes."""
        top = COMEBACK * self.remembered_per_s
        rise_s = LOW_DOUBLING_S * math.log2(max(top / self._anchor, 1.0))
        if now_s - self.cut_at_s > self._return_s + rise_s + HELD_S:
            self._is_low = False
            self._anchor, self._return_s = top, self._shape.return_s
            self.cut_at_s = now_s - self._return_s
            self._cycle_s, self._cycle_units = now_s, 0.0

    def _fall_back(self, now_s: float, *, has_tried: bool) -> None:
        """A throttle in a collapse: nearly everything is the neighbours', for longer each time."""
        if has_tried:
            self._low_return_s = AGAIN_S
        self._cut(now_s, 0.0)

    def _share_of_capacity(self, now_s: float, sent_at_s: float, *, is_freed: bool) -> float:
        """What is accepted per second; between two throttles the best estimate there is."""
        average = self._cycle_units / max(sent_at_s - self._cycle_s, 1e-3)
        if is_freed:  # the average of the whole cycle lags behind; the flow holds stored units too
            average += FLOW_TRUST * max(0.0, self._flow.per_s(now_s) - average)
        return average

    def _cut(self, now_s: float, anchor: float) -> None:
        floor = max(FLOOR_PER_S, FLOOR_SHARE * self.remembered_per_s)
        self._anchor = min(max(anchor, floor), self._max_per_s)
        self._is_low = self._anchor < KNOWN_LOW * self.remembered_per_s
        self._is_searching = False
        if not self._is_low:
            self._low_return_s = LOW_RETURN_S
        least_s = self._low_return_s if self._is_low else self._shape.return_s
        calls = LOW_CALLS_PER_RETURN if self._is_low else CALLS_PER_RETURN
        self._return_s = max(least_s, calls / self._anchor)
        self._hold_s = self._shape.hold_s
        if self._is_low:
            self._hold_s *= self._return_s / self._shape.return_s
        self.cut_at_s = self._cycle_s = now_s
        self._cycle_units = self._fresh_ok = self._fresh_bad = 0.0
        self._fresh_throttles = 0

    def _remember(self, now_s: float, per_s: float) -> None:
        elapsed_s = now_s - self._remembered_at_s
        self._remembered_at_s = now_s
        constant_s = LOW_MEMORY_S if self._is_low else MEMORY_S
        faded = self.remembered_per_s * math.exp(-elapsed_s / constant_s)
        self.remembered_per_s = max(per_s, faded)

    # --- the rate as a function of time --------------------------------------------------------

    def per_s(self, now_s: float) -> float:
        """Units per second that may be asked for at `now_s`; infinite while unlimited."""
        if not self.is_limited:
            return math.inf
        since_s = now_s - self.cut_at_s
        if since_s < self._return_s:
            return self._returning(since_s)
        beyond_s = since_s - self._return_s
        if self._max_share < 1 and not self._is_low and not self._is_searching:
            if beyond_s < LOOK_AGAIN_S:
                return min(self._anchor * self._max_share, self._max_per_s)
            beyond_s -= LOOK_AGAIN_S
        if self._is_low:
            return min(self._coming_back(beyond_s), COMEBACK * self.remembered_per_s)
        rate = self._probing(beyond_s)
        unused = self._shape.unused
        if rate > unused * self._anchor:  # an application that asks for less learns no more
            in_use = USE_FACTOR * unused * self._flow.per_s(now_s)
            rate = min(rate, max(unused * self._anchor, in_use))
        return min(rate, self._max_per_s)

    def _returning(self, since_s: float) -> float:
        if since_s <= self._hold_s:
            return self._anchor * self._shape.cut
        left = (self._return_s - since_s) / (self._return_s - self._hold_s)
        return self._anchor * (1 - (1 - self._shape.cut) * left**3)

    def _probing(self, beyond_s: float) -> float:
        if self._is_searching:
            return self._anchor * math.exp2(min(beyond_s / self._shape.search_doubling_s, 60))
        # a slow process takes its time: the same growth over as many calls
        beyond_s *= self._shape.return_s / self._return_s
        rate = self._anchor * (1 + self._shape.probe_per_s2 * min(beyond_s, 1e3) ** 2)
        doubled_s = self._shape.doubled_s
        if beyond_s > doubled_s:
            rate *= math.exp2(min((beyond_s - doubled_s) / DOUBLING_S, 60))
        return rate

    def _coming_back(self, beyond_s: float) -> float:
        return self._anchor * math.exp2(min(beyond_s / LOW_DOUBLING_S, 60))


_PLAIN: Final = tuple(
    name for name in AdaptiveRate.__slots__ if name not in ("_flow", "_long_flow", "_shape")
)
