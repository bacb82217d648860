"""The patch points: which methods of botocore are wrapped, and what they must look like.

Every point was there with these parameters from botocore 1.34.0 to 1.44.5. One that is missing
or changed is a `PatchPointError` at install, never a silent hole.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, Final

import botocore

from dynaguard.errors import PatchPointError
from dynaguard.values import dataclass


@dataclass(frozen=True, slots=True)
class PatchPoint:
    """One method, or function of a module, to wrap.

    Attributes:
        module: Module of the class.
        owner: The class; None for a function of the module.
        name: The method.
        parameters: Its leading parameters after `self`; None where botocore renamed one.
        purpose: What hangs on it, for `status`.
    """

    module: str
    owner: str | None
    name: str
    parameters: tuple[str | None, ...]
    purpose: str

    @property
    def label(self) -> str:
        """`BaseClient._convert_to_request_dict`."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    def resolve(self) -> type | ModuleType:
        """The class, or module, to patch.

        Raises:
            PatchPointError: The class or method is gone, or takes other parameters.
        """
        module = import_module(self.module)
        owner: Any = module if self.owner is None else getattr(module, self.owner, None)
        is_owner = isinstance(owner, type | ModuleType)
        method = vars(owner).get(self.name) if is_owner else None
        if method is None:
            raise PatchPointError(self._message("is missing"))
        names = tuple(inspect.signature(method).parameters)
        found = names[isinstance(owner, type) :][: len(self.parameters)]
        if len(found) < len(self.parameters) or any(
            wanted is not None and wanted != name
            for wanted, name in zip(self.parameters, found, strict=True)
        ):
            raise PatchPointError(self._message(f"takes ({', '.join(found)})"))
        return owner  # type: ignore[no-any-return]

    def is_botocores(self) -> bool:
        """Whether botocore's own function stands there, and nobody's wrapper around it."""
        found: Any = vars(self.resolve()).get(self.name)
        is_plain = type(found) is FunctionType and not hasattr(found, "__wrapped__")
        return bool(is_plain and found.__globals__.get("__name__") == self.module)

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
    "botocore.useragent", "UserAgentString", "to_string", (), "builds the User-Agent once"
)
SIGNED_HEADERS_POINT: Final = PatchPoint(
    "botocore.auth", "SigV4Auth", "headers_to_sign", ("request",), "selects headers once"
)
PAYLOAD_POINT: Final = PatchPoint(
    "botocore.auth", "SigV4Auth", "payload", ("request",), "takes the body to sign as it is"
)
SIGNING_KEY_POINT: Final = PatchPoint(
    "botocore.auth", "SigV4Auth", "_sign", ("key", "msg"), "keeps the signing keys of the day"
)
HOST_POINT: Final = PatchPoint("botocore.auth", None, "_host_from_url", ("url",), "keeps hosts")
TIME_SAVING_POINTS: Final = (
    USER_AGENT_POINT,
    SIGNED_HEADERS_POINT,
    PAYLOAD_POINT,
    SIGNING_KEY_POINT,
    HOST_POINT,
)
"""Save time and enforce nothing: left out where somebody else has wrapped the function already,
who may want to be asked each time."""

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

OPTIONAL_POINTS: Final = (PAGING_POINT, LIMITER_POINT, *TIME_SAVING_POINTS)
"""Left out where they are missing."""

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
