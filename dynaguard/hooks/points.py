"""The patch points: which methods of botocore are wrapped, and what they must look like.

Every point was there with these parameters from botocore 1.34.0 to 1.44.5. One that is missing
or changed is a `PatchPointError` at install, never a silent hole.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Final

import botocore

from dynaguard.errors import PatchPointError
from dynaguard.hooks.useragent import IS_BUILT_TWICE


@dataclass(frozen=True, slots=True)
class PatchPoint:
    """One method to wrap.

    Attributes:
        module: Module of the class.
        owner: The class.
        name: The method.
        parameters: Its leading parameters after `self`; None where botocore renamed one.
        purpose: What hangs on it, for `status`.
    """

    module: str
    owner: str
    name: str
    parameters: tuple[str | None, ...]
    purpose: str

    @property
    def label(self) -> str:
        """`BaseClient._convert_to_request_dict`."""
        return f"{self.owner}.{self.name}"

    def resolve(self) -> type:
        """The class to patch.

        Raises:
            PatchPointError: The class or method is gone, or takes other parameters.
        """
        owner = getattr(import_module(self.module), self.owner, None)
        method = vars(owner).get(self.name) if isinstance(owner, type) else None
        if method is None:
            raise PatchPointError(self._message("is missing"))
        found = tuple(inspect.signature(method).parameters)[1 : len(self.parameters) + 1]
        if len(found) < len(self.parameters) or any(
            wanted is not None and wanted != name
            for wanted, name in zip(self.parameters, found, strict=True)
        ):
            raise PatchPointError(self._message(f"takes ({', '.join(found)})"))
        return owner  # type: ignore[return-value]

    def _message(self, fault: str) -> str:
        """One line that names version, point and what to do."""
        return (
            f"botocore {botocore.__version__} cannot be guarded: `{self.module}.{self.label}` "
            f"{fault}, use a botocore that dynaguard supports (1.34.0 or later, see the "
            "changelog) or a newer dynaguard"
        )


_CONVERT = ("api_params", "operation_model", "endpoint_url", "context", "headers")
SYNC_POINTS: Final = (
    PatchPoint(
        "botocore.client",
        "BaseClient",
        "_make_api_call",
        ("operation_name", "api_params"),
        "observes",
    ),
    PatchPoint("botocore.client", "BaseClient", "_convert_to_request_dict", _CONVERT, "decides"),
    PatchPoint(
        "botocore.endpoint",
        "Endpoint",
        "_needs_retry",
        ("attempts", "operation_model", "request_dict", None, "caught_exception"),
        "retries",
    ),
    PatchPoint(
        "botocore.endpoint",
        "Endpoint",
        "_send_request",
        ("request_dict", "operation_model"),
        "cuts batches",
    ),
    PatchPoint("botocore.endpoint", "Endpoint", "_send", ("request",), "checks the seal"),
    PatchPoint(
        "botocore.signers",
        "RequestSigner",
        "sign",
        ("operation_name", "request"),
        "refuses undecided requests",
    ),
)
USER_AGENT_POINT: Final = PatchPoint(
    "botocore.useragent", "UserAgentString", "to_string", (), "builds the User-Agent once per call"
)
"""Saves time and enforces nothing: where it is missing, it is left out."""

PAGING_POINT: Final = PatchPoint(
    "botocore.paginate", "PageIterator", "__iter__", (), "counts pages"
)
"""Tells `dynaguard:PageNumber`, which is unknown where it is missing."""

LIMITER_POINT: Final = PatchPoint(
    "botocore.retries.adaptive",
    "ClientRateLimiter",
    "on_sending_request",
    ("request",),
    "keeps adaptive mode's limiter out of budgeted calls",
)
"""Sleeps in a handler, without any deadline; where it is missing there is nothing to keep out."""

_USER_AGENT_POINTS: Final = (USER_AGENT_POINT,) if IS_BUILT_TWICE else ()
OPTIONAL_POINTS: Final = (PAGING_POINT, LIMITER_POINT, *_USER_AGENT_POINTS)
"""Those that this botocore can have; left out where they are missing all the same."""

AIO_POINTS: Final = (
    PatchPoint(
        "aiobotocore.client",
        "AioBaseClient",
        "_make_api_call",
        ("operation_name", "api_params"),
        "observes",
    ),
    PatchPoint(
        "aiobotocore.client", "AioBaseClient", "_convert_to_request_dict", _CONVERT, "decides"
    ),
)
