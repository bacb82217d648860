"""From a botocore client to a `Call`: what never changes per client is read once.

Works for botocore's and aiobotocore's clients alike; both keep the same attributes.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynaguard.aws.analysis import service_prefix
from dynaguard.call import Call, CredentialFacts
from dynaguard.hooks.credentials import access_key_id_of
from dynaguard.hooks.paging import current_page
from dynaguard.hooks.sts import facts_to_ask_for
from dynaguard.hooks.task_credentials import Binding, binding_of
from dynaguard.scope import correlation_id_of, current_scope


@dataclass(slots=True)
class ClientFacts:
    """What a client's calls have in common. `credential_facts` follows rotation.

    Attributes:
        service: botocore's service name.
        service_id: As spans show it (`DynamoDB`).
        prefix: IAM's service prefix.
        region: The client's region, or None.
        partition: Its partition.
        is_json: Whether the request body is one JSON text that nothing rewrites before it is
            sent, so that it can be sealed and read again.
        credentials: The provider's object.
        facts: Its facts, as of `facts.access_key_id`.
        bind: Puts calls into the scope of the task whose session the client is of, or None.
        has_handlers: Whether the client's emitter got the event handlers.
    """

    service: str
    service_id: str
    prefix: str
    region: str | None
    partition: str
    is_json: bool
    credentials: Any
    facts: CredentialFacts
    bind: Binding | None = None
    has_handlers: bool = False

    def call(
        self,
        operation: str,
        params: Mapping[str, Any],
        endpoint_url: str | None,
        *,
        is_presign: bool = False,
    ) -> Call:
        """The call that the client is about to make, with the scope of the running code."""
        if access_key_id_of(self.credentials) != self.facts.access_key_id:
            self.facts = facts_to_ask_for(self.credentials, self.partition)
        scope = current_scope()
        if self.bind is not None:
            scope = self.bind(scope)
        # By position, in the order of `Call`: keywords cost as much again on every call.
        return Call(
            self.service,
            operation,
            params,
            self.region,
            self.partition,
            endpoint_url,
            self.facts,
            scope,
            correlation_id_of(scope),
            is_presign,
            self.prefix,
            current_page.get(),
        )


class ClientRegistry:
    """Facts by client, as long as the client lives. Thread-safe: filling twice is harmless."""

    __slots__ = ("_facts_by_client",)

    def __init__(self) -> None:
        self._facts_by_client: weakref.WeakKeyDictionary[Any, ClientFacts] = (
            weakref.WeakKeyDictionary()
        )

    def facts_of(self, client: Any) -> ClientFacts:
        """The client's facts, read at its first call."""
        facts = self._facts_by_client.get(client)
        if facts is None:
            facts = self._facts_by_client[client] = _read_facts(client)
        return facts


def _read_facts(client: Any) -> ClientFacts:
    """Reads what the calls of a client have in common."""
    model = client._service_model
    credentials = client._request_signer._credentials
    return ClientFacts(
        service=model.service_name,
        service_id=str(model.service_id),
        prefix=service_prefix(model.service_name),
        region=client.meta.region_name,
        partition=client.meta.partition,
        is_json=model.metadata.get("protocol") == "json",
        credentials=credentials,
        facts=facts_to_ask_for(credentials, client.meta.partition),
        bind=binding_of(credentials),
    )
