"""Calls of DynamoDB as an access store makes them, without botocore's shapes.

`hooks/access_clients.py` gives the real one; what it raises is told apart by one question: may the
request have had its effect?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class TableCallError(Exception):
    """A call that gave no answer of use.

    Attributes:
        code: AWS's code, such as `ResourceNotFoundException`; `Unreachable` where nothing was
            sent, `Unanswered` where no answer came, `NoCredentials`.
        is_effect_unknown: Whether the request may have had its effect, or may yet have it.
    """

    def __init__(
        self,
        code: str,
        *,
        is_effect_unknown: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.is_effect_unknown = is_effect_unknown


class TableCalls(Protocol):
    """Makes calls of one region, which dynaguard neither guards nor records. Thread-safe."""

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes one call, without further attempts.

        Args:
            operation: AWS's name, such as `PutItem`.
            params: Its parameters, values in DynamoDB JSON.

        Returns:
            The answer.

        Raises:
            TableCallError: There is none, or it is an error.

        Effects: blocks some seconds at most.
        """
        ...

    def close(self) -> None:
        """Gives back connections. Never raises."""
        ...


MakeTableCalls = Callable[[str | None, str | None], TableCalls]
"""Gives the calls of a region (None: the process's own) at an endpoint (None: AWS's)."""
