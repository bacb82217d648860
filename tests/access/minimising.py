"""What session policies make of statements, without STS's limit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dynaguard.access.session_policy import session_policy


def minimised(statements: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The statements of the policy that is sent, however long."""
    sent = session_policy(list(statements), max_characters=10**9).text
    return list(json.loads(sent)["Statement"])
