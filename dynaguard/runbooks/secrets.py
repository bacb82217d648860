"""Values of secret parameters: text that no repr, log line, record or pickle shows."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

SHOWN: Final = "<secret>"


class Secret:
    """A secret text; only `reveal` gives it.

    Args:
        text: The text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it: the parameters of a call."""
        return self._text

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        """Compares in a time that does not depend on where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        texts = (each.reveal().encode("utf-8", "surrogatepass") for each in (self, other))
        return hmac.compare_digest(*texts)

    __hash__ = None  # type: ignore[assignment]  # a hash of the text would be kept with it

    def __reduce__(self) -> NoReturn:
        """Refuses: a pickle would hold the text.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a secret parameter does not pickle")
