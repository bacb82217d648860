"""Event handlers: masks, and the second look at calls that carry no decision.

Registered on each session and, at its first call, on each client (a client copies its session's
emitter when it is made). A handler may get lost (a peer, a race of the emitter), so nothing here
is the only thing that enforces: the wrappers notice a mask that did not run.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from dynaguard.aws.dynamodb.schemas import TELLING_OPERATIONS
from dynaguard.forks import renew_after_fork
from dynaguard.hooks.answers import read_answer, take_consumed
from dynaguard.hooks.exemption import is_for_botocore
from dynaguard.hooks.frames import CONTEXT_KEY, LEFT_ALONE, current_frame
from dynaguard.hooks.listeners import is_untouched
from dynaguard.masking.locations import ITEM_SERVICES

if TYPE_CHECKING:
    from dynaguard.hooks.installation import Installation
    from dynaguard.passage import Passage


class EventHandlers:
    """The handlers of one installation."""

    __slots__ = ("__weakref__", "_emitters", "_installation", "_is_ended", "_lock", "_table")

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._emitters: weakref.WeakSet[Any] = weakref.WeakSet()
        self._is_ended = False
        self.renew()
        renew_after_fork(self)
        # (event, position, handler): wildcards come first, the root node last, see research in
        # docs/architecture.md; inside one node first / middle / last hold.
        self._table = (
            ("before-call.*.*", "register_first", self.check_decided),
            # A prefix: behind the handlers of single operations, whatever these did to the body.
            ("before-parse.dynamodb", "register_last", self.take_items),
            ("after-call.*.*", "register_first", self.mask_answer),
        )

    def register(self, emitter: Any) -> None:
        """Registers the handlers on an emitter; on one that has them nothing changes.

        After the end neither: a first call that is still under way then would leave handlers
        behind, in whose place no later installation's could be registered.
        """
        if emitter in self._emitters:
            return
        with self._lock:
            if self._is_ended or emitter in self._emitters:
                return
            for event, position, handler in self._table:
                getattr(emitter, position)(event, handler, unique_id=f"dynaguard-{event}")
            # Last: another thread that finds it here goes on at once.
            self._emitters.add(emitter)

    def unregister_all(self) -> None:
        """Takes the handlers off every emitter that they were registered on, for good."""
        with self._lock:
            self._is_ended = True
            for emitter in list(self._emitters):
                for event, _, handler in self._table:
                    emitter.unregister(event, handler, unique_id=f"dynaguard-{event}")
            self._emitters.clear()

    def renew(self) -> None:
        """Drops the lock of a thread that a forked child does not have."""
        self._lock = threading.RLock()

    def check_decided(
        self, model: Any, params: dict[str, Any], request_signer: Any, context: Any, **_: Any
    ) -> None:
        """`before-call`, first: a call without a decision is decided now, from its wire form."""
        if CONTEXT_KEY not in context and self._installation.is_global:
            from dynaguard.hooks.undecided import decide_from_wire  # few processes make such calls

            service = model.service_model.service_name
            decide_from_wire(
                self._installation, service, model.name, params, context, request_signer
            )

    def take_items(
        self,
        operation_model: Any,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any],
        **_: Any,
    ) -> None:
        """`before-parse`: reads the items of a guarded call's answer, where that is quicker.

        They are masked at once, while they are at hand, where it is certain whose answer this is
        (the event does not tell, so the request that was signed last has to be the frame's own)
        and that nobody adds to it afterwards. `mask_answer` masks the rest, and everything that
        was not read here.
        """
        frame = current_frame.get()
        if frame is None or frame is LEFT_ALONE:
            return
        installation, result = self._installation, customized_response_dict
        member = installation.fast_parsing.take(
            frame.client, operation_model, response_dict, result
        )
        passage, concealment = frame.passage, installation.guard.concealment
        if member is None or concealment is None or passage is None:
            return
        if passage.plan is None or frame.signed is not passage:
            return
        emitter, operation = frame.client.meta.events, operation_model.name
        if is_untouched(emitter, operation, reader=self.take_items, masker=self.mask_answer):
            concealment.begin(passage, member, result[member])

    def mask_answer(
        self, http_response: Any, parsed: Any, model: Any, context: Any, **_: Any
    ) -> None:
        """`after-call`, first: masks the answer while it is in DynamoDB JSON."""
        passage = context.get(CONTEXT_KEY)
        if passage is None:
            return
        if passage.answer is None and passage.late_answer is None:
            # Answered by a `before-call` handler: a stub, a cache.
            passage.answer = read_answer(parsed, http_response.status_code)
            # Not seen attempt by attempt: an asynchronous client, or an answer that nobody sent.
            metadata = parsed.get("ResponseMetadata") or {}
            passage.attempts = passage.attempts or metadata.get("RetryAttempts", -1) + 1
            if passage.is_measured and passage.attempts:
                take_consumed(passage, parsed)
        if passage.plan is not None:
            self._mask(passage, parsed, model)
        if passage.call.operation in TELLING_OPERATIONS and http_response.status_code < 300:
            self._installation.guard.learn_schema(passage, parsed)
        span = passage.span
        if not passage.is_observed or (span is not None and not span.is_owned):
            self._installation.note_answer(passage)

    def _mask(self, passage: Passage, parsed: Any, model: Any) -> None:
        """Masks an answer, unless botocore itself asked for the credentials in it."""
        service = passage.call.service
        if service not in ITEM_SERVICES and is_for_botocore(service):
            passage.is_masked = True
            return

        def sensitive() -> object:
            from dynaguard.hooks.sensitive import sensitive_model  # where a plan asks for it

            return sensitive_model(model)

        self._installation.guard.mask(passage, parsed, sensitive)
