"""What signing a request computes twice, or anew for each request though it never changes.

botocore selects the headers to sign once for the signature and once more to list them, takes the
host from the same URL each time, prepares the whole request to look at its body, and derives the
signing key of the day anew: a tenth of the CPU of a small call. Signatures are the same to the
byte: `tests/hooks` checks them as AWS does.

Source: AWS General Reference, Create a signed AWS API request: a signing key is good for one day,
region and service. AWS's SDKs for Go, Java and JavaScript keep it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dynaguard.hooks.frames import LEFT_ALONE, current_frame

if TYPE_CHECKING:
    from dynaguard.hooks.patching import Patch

MAX_HOSTS: Final = 256
"""URLs of which the host is kept. DynamoDB's calls of one client have one URL."""


MAX_KEYS: Final = 64
"""Steps of derivations that are kept, four for each key; dropped whole when full."""


def host_from_url(wrapped: Callable[[str], str], patch: Patch) -> Callable[[str], str]:
    """Makes what stands in place of `_host_from_url`, which only depends on the URL."""
    host_of = lru_cache(maxsize=MAX_HOSTS)(wrapped)

    def host_from_url(url: str) -> str:
        return host_of(url) if patch.is_active else wrapped(url)

    return host_from_url


def headers_to_sign(wrapped: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Makes what stands in place of `SigV4Auth.headers_to_sign`.

    Within one guarded call the last selection is kept, and is good while the same signer asks for
    the same request with the same headers.
    """

    def headers_to_sign(signer: Any, /, request: Any, *more: Any, **options: Any) -> Any:
        frame = current_frame.get()
        # All headers as they came, where this Python keeps them so: quicker than to ask for each.
        headers = getattr(request.headers, "_headers", None)
        if frame is None or frame is LEFT_ALONE or headers is None or not patch.is_active:
            return wrapped(signer, request, *more, **options)
        kept = frame.headers_to_sign
        if (
            kept is not None
            and kept[0] is signer
            and kept[1] == request.url
            and kept[2] == headers
        ):
            return kept[3]
        selected = wrapped(signer, request, *more, **options)
        frame.headers_to_sign = (signer, request.url, headers.copy(), selected)
        return selected

    return headers_to_sign


class _Bodied:
    """A request whose body is known."""

    __slots__ = ("_request", "body")

    def __init__(self, request: Any, body: bytes) -> None:
        self._request = request
        self.body = body

    def __getattr__(self, name: str) -> Any:
        """All else that is asked of a request."""
        return getattr(self._request, name)


def payload(wrapped: Callable[..., str], patch: Patch) -> Callable[..., str]:
    """Makes what stands in place of `SigV4Auth.payload`, the digest of the body.

    Bytes are sent as they are, so that nothing has to be prepared to know them.
    """

    def payload(signer: Any, /, request: Any, *more: Any, **options: Any) -> str:
        frame = current_frame.get()
        if frame is not None and frame is not LEFT_ALONE and patch.is_active:
            data = getattr(request, "data", None)
            if type(data) is bytes and data:
                request = _Bodied(request, data)
        return wrapped(signer, request, *more, **options)

    return payload


def sign(wrapped: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    """Makes what stands in place of `SigV4Auth._sign`: the steps that derive a key are kept.

    A step depends on its key and text alone; the signature itself, in hexadecimal, is never kept.
    In memory only, which the secret is in as well.
    """
    derived: dict[tuple[bytes, str], bytes] = {}

    def sign(signer: Any, /, key: bytes, msg: str, *more: Any, **options: Any) -> Any:
        frame = current_frame.get()
        if not patch.is_active:
            derived.clear()  # a peer may keep calling us
        is_guarded = frame is not None and frame is not LEFT_ALONE and patch.is_active
        if more or options or not is_guarded:
            return wrapped(signer, key, msg, *more, **options)
        found = derived.get((key, msg))
        if found is None:
            found = wrapped(signer, key, msg)
            if len(derived) >= MAX_KEYS:
                derived.clear()
            derived[key, msg] = found
        return found

    return sign
