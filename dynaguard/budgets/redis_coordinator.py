"""A `Coordinator` on Redis: one script per errand, one more where it is time to learn.

The queue of tickets lives in Redis and is moved by a script there; the rate is learnt by whichever
process is first to ask after a tick, with the same code as in a single process. Needs redis-py
(extra `redis`).

Source: Redis documentation, *Scripting with Lua* (a script runs as one).
"""

from __future__ import annotations

import inspect
import json
import math
import os
import secrets
from importlib import import_module
from typing import Any, Final

from dynaguard.budgets.coordination import (
    AHEAD_S,
    LATEST_ANSWER_S,
    LEASE_S,
    MEMBER_S,
    SERVED_S,
    TICK_S,
    Errand,
    Grant,
    again_after_s,
    learn_sums,
)
from dynaguard.budgets.rate import SHARED, AdaptiveRate
from dynaguard.errors import MissingExtraError

KEY_PREFIX: Final = "dynaguard:budget:"
_KEEP_MS: Final = 120_000
_UNLIMITED: Final = "-1"

# KEYS: state (hash), members (sorted set)
# ARGV: member, ticket or "", units, wanted, accepted, throttles, epoch
_ASK: Final = f"""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local s = redis.call('HMGET', KEYS[1], 'per_s', 'served', 'issued', 'at', 'epoch',
                     'accepted', 'throttles', 'ticked', 'rate')
local per_s, served = tonumber(s[1] or '-1'), tonumber(s[2] or '0')
local issued, at = tonumber(s[3] or '0'), tonumber(s[4] or now)
local epoch, accepted = tonumber(s[5] or '0'), tonumber(s[6] or '0')
local throttles, ticked = tonumber(s[7] or '0'), tonumber(s[8] or '0')
accepted = accepted + tonumber(ARGV[5])
if tonumber(ARGV[7]) == epoch then throttles = throttles + tonumber(ARGV[6]) end
local learn, sum_accepted, sum_throttles = 0, 0, 0
if now - ticked >= {TICK_S} then
  learn, sum_accepted, sum_throttles = 1, accepted, throttles
  ticked, accepted, throttles = now, 0, 0
end
local ticket, units, wait = '', tonumber(ARGV[3]), 0
if per_s < 0 then
  units = -1
else
  served = math.min(served + math.max(0, now - at) * per_s, issued + {AHEAD_S} * per_s)
  if ARGV[2] == '' or tonumber(ARGV[2]) > issued then
    redis.call('ZADD', KEYS[2], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - {MEMBER_S})
    local fair = {LEASE_S} * per_s / redis.call('ZCARD', KEYS[2])
    units = math.max(units, math.min(tonumber(ARGV[4]), fair))
    issued = issued + units
    ticket = issued
  else
    ticket = tonumber(ARGV[2])
  end
  wait = (ticket - served) / per_s
  if wait <= {SERVED_S} then ticket, wait = '', 0 else ticket = string.format('%.9f', ticket) end
end
local function text(number) return string.format('%.9f', number) end
redis.call('HSET', KEYS[1], 'served', text(served), 'issued', text(issued), 'at', text(now),
           'accepted', text(accepted), 'throttles', text(throttles), 'ticked', text(ticked))
redis.call('PEXPIRE', KEYS[1], {_KEEP_MS})
redis.call('PEXPIRE', KEYS[2], {_KEEP_MS})
return {{ticket, text(units), text(wait), tostring(epoch), tostring(learn), text(sum_accepted),
        text(sum_throttles), text(now), s[9] or ''}}
"""

# KEYS: state; ARGV: epoch that was learnt from, new epoch, rate, its state
_LEARNT: Final = """
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if epoch ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'per_s', ARGV[3], 'rate', ARGV[4])
return 1
"""


class RedisCoordinator:
    """Shares rates between processes through one Redis. Thread-safe.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py takes it. Never shown.
        client: A client of redis-py instead, for tests and special needs.

    Raises:
        MissingExtraError: redis-py is not installed.

    Effects: each errand is one round trip of at most a quarter of a second. State expires two
    minutes after the last errand. Load: an errand per lease, that is about four per second and
    process, or one per call below that.
    """

    def __init__(self, url: str = "", *, client: Any = None) -> None:
        self._client = client if client is not None else _connect(url)
        self._token = secrets.token_hex(6)

    def ask(self, errand: Errand) -> Grant:
        """Answers an errand; raises whatever redis-py raises."""
        state = f"{KEY_PREFIX}{{{errand.resource}}}"
        report = errand.report
        answer = [
            part.decode() if isinstance(part, bytes) else str(part)
            for part in self._client.eval(  # one round trip, also the first time
                _ASK,
                2,
                state,
                f"{state}:members",
                f"{os.getpid()}-{self._token}",  # a forked child is another member
                "" if errand.ticket is None else f"{errand.ticket:.9f}",
                errand.units,
                errand.wanted,
                report.accepted,
                report.throttles,
                report.epoch,
            )
        ]
        ticket, units, wait_s = answer[0], float(answer[1]), float(answer[2])
        epoch = int(answer[3])
        if answer[4] == "1":
            self._learn(state, epoch, answer[5:])
        if units < 0:
            return Grant(None, 0.0, math.inf, epoch)
        if ticket == "":
            return Grant(None, 0.0, units, epoch)
        return Grant(float(ticket), again_after_s(wait_s), units, epoch)

    def _learn(self, state: str, epoch: int, sums: list[str]) -> None:
        """Has the shared rate learn what was reported, and leaves it for the others."""
        accepted, throttles, now_s = float(sums[0]), float(sums[1]), float(sums[2])
        rate = AdaptiveRate(now_s, shape=SHARED)
        if sums[3]:
            rate.restore(json.loads(sums[3]))
        is_cut = learn_sums(rate, now_s, accepted, throttles)
        per_s = f"{rate.per_s(now_s):.9f}" if rate.is_limited else _UNLIMITED
        saved = json.dumps(rate.save())
        self._client.eval(_LEARNT, 1, state, epoch, epoch + is_cut, per_s, saved)


def _connect(url: str) -> Any:
    """A client of redis-py.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        redis = import_module("redis")
    except ImportError as err:
        raise MissingExtraError("a coordinator on Redis", extra="redis") from err
    return redis.Redis.from_url(
        url,
        socket_timeout=LATEST_ANSWER_S,
        socket_connect_timeout=LATEST_ANSWER_S,
        retry=None,
        protocol=2,  # spares a connection its greeting, a round trip
        **_no_introduction(redis),
    )


def _no_introduction(redis: Any) -> dict[str, None]:
    """Options that spare a connection two more round trips: redis-py names itself to the server.

    Newer versions of redis-py have another name for the option, and warn of the old ones.
    """
    taken = inspect.signature(redis.connection.AbstractConnection).parameters
    if "driver_info" in taken:
        return {"driver_info": None}
    return {"lib_name": None, "lib_version": None}
