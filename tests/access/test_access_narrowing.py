"""Statements of a task or an agent: what narrows nothing, or cannot be read, is told at once."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.access.narrowing import narrowing_statements
from dynaguard.errors import ConfigurationError

READ: dict[str, Any] = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("dynamodb:GetItem", r"`statements\[1\]` is of type str, it must be a mapping"),
        ({**READ, "Effect": "Deny"}, r"`statements\[1\]` has the Effect `Deny`.*write `Allow`"),
        ({**READ, "Principal": "*"}, r"`statements\[1\]` names a principal"),
        ({**READ, "NotPrincipal": "*"}, r"`statements\[1\]` names a principal"),
        ({**READ, "Action": {"dynamodb:GetItem"}}, "cannot be written as JSON .*set"),
    ],
)
def test_a_statement_that_cannot_narrow_is_named_by_its_place(
    statement: Any, problem: str
) -> None:
    """No task begins with less, or more, than was meant."""
    with pytest.raises(ConfigurationError, match=problem):
        narrowing_statements([READ, statement])
