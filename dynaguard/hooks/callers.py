"""Who runs this program: for what it asks of people, and for what they decide with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.call import NO_CREDENTIALS, CredentialFacts, Principal
from dynaguard.errors import TicketError
from dynaguard.hooks.exemption import own_calls
from dynaguard.hooks.sts import facts_to_ask_for, look_up_caller
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.scope import current_scope

if TYPE_CHECKING:
    from dynaguard.guard import Guard
    from dynaguard.policy.model import PolicyDocument
    from dynaguard.settings import Settings


def asking_principal(
    guard: Guard | None, settings: Settings, document: PolicyDocument | None
) -> Principal:
    """Who asks: the identity that this program's calls have.

    Args:
        guard: The guard in force, or None.
        settings: The settings.
        document: The policy, or None.

    Effects: may call AWS where the settings have identities looked up; blocks some seconds.
    """
    credentials, scope = _default_credentials(), current_scope()
    facts = NO_CREDENTIALS if credentials is None else facts_to_ask_for(credentials)
    if guard is not None:
        resolver = guard.rooms.resolver
    else:
        is_asking = settings.identity_lookup != "off"
        resolver = _resolver(
            settings, document, identity=settings.identity, lookup=_look_up if is_asking else None
        )
    return resolver.settled(facts, scope) or resolver.resolve(facts, scope)


def deciding_principal(settings: Settings, document: PolicyDocument | None) -> Principal:
    """Who decides: whom STS names where there are credentials, else `identity` of the settings.

    Args:
        settings: The settings.
        document: The policy, for its groups; or None.

    Raises:
        TicketError: There are credentials, and STS could not be asked whose they are. What a
            setting says is not taken for it then.

    Effects: calls `sts:GetCallerIdentity`, unguarded; blocks some seconds at most.
    """
    credentials, identity = _default_credentials(), settings.identity
    facts = NO_CREDENTIALS
    if credentials is not None:
        facts = facts_to_ask_for(credentials)
        identity = _arn_of(facts)
    resolver = _resolver(settings, document, identity=identity, lookup=None)
    return resolver.resolve(facts, current_scope())


def _default_credentials() -> Any:
    """The credentials that this process has by default, or None."""
    import botocore.session

    with own_calls():
        credentials: Any = botocore.session.Session().get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()  # those fetched late have no key before
    return credentials


def _arn_of(facts: CredentialFacts) -> str:
    """Whom STS names."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        caller = look_up_caller(facts)
    except (BotoCoreError, ClientError) as err:
        raise TicketError(
            f"who decides is not known: STS could not be asked ({type(err).__name__})"
        ) from err
    if caller is None:
        raise TicketError("who decides is not known: the credentials changed meanwhile, try again")
    return caller.arn


def _look_up(facts: CredentialFacts) -> Any:
    """The caller, for a resolver."""
    return look_up_caller(facts)


def _resolver(
    settings: Settings, document: PolicyDocument | None, *, identity: str | None, lookup: Any
) -> IdentityResolver:
    """A resolver of this process."""
    environ: Mapping[str, str] = os.environ
    return IdentityResolver(
        identity=identity,
        account_id=settings.account_id,
        groups={} if document is None else document.groups,
        environ=environ,
        lookup=lookup,
        start=lambda work: work(),
    )
