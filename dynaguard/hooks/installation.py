"""One installation: a guard, the wrappers and handlers that ask it, and the clients it covers."""

from __future__ import annotations

import importlib.util
import logging
import weakref
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

import botocore
from botocore.exceptions import ClientError

from dynaguard.call import Call, Status
from dynaguard.errors import GuardFailure, PatchPointError, PolicyDenied
from dynaguard.hooks import batch_writer, paging, retries, signing, useragent
from dynaguard.hooks.clients import ClientFacts, ClientRegistry
from dynaguard.hooks.events import EventHandlers
from dynaguard.hooks.exemption import is_exempt, is_within_another
from dynaguard.hooks.fast_parsing import FastParsing
from dynaguard.hooks.frames import CONTEXT_KEY, Frame
from dynaguard.hooks.patching import Patch
from dynaguard.hooks.points import (
    AIO_POINTS,
    HOST_POINT,
    LIMITER_POINT,
    OPTIONAL_POINTS,
    PAGING_POINT,
    PAYLOAD_POINT,
    SIGNED_HEADERS_POINT,
    SIGNING_KEY_POINT,
    SYNC_POINTS,
    TIME_SAVING_POINTS,
    USER_AGENT_POINT,
    PatchPoint,
)
from dynaguard.hooks.wrappers import SyncWrappers

if TYPE_CHECKING:
    from dynaguard.guard import Guard
    from dynaguard.hooks.logs import WithheldData
    from dynaguard.passage import Passage

_log = logging.getLogger("dynaguard")
_OPTIONAL_WRAPPERS = {
    PAGING_POINT: paging.iterate_pages,
    USER_AGENT_POINT: useragent.to_string,
    SIGNED_HEADERS_POINT: signing.headers_to_sign,
    PAYLOAD_POINT: signing.payload,
    SIGNING_KEY_POINT: signing.sign,
    HOST_POINT: signing.host_from_url,
    LIMITER_POINT: retries.on_sending_request,
}


class Installation:
    """What `install()` or `attach()` put in place.

    Attributes:
        guard: Decides.
        is_global: Whether every client is covered, or only the attached ones.
        is_stamping: Whether correlation ids go into requests.
        names_scope: Whether their User-Agent names job, run, stage and runbook too.
        is_masking: Whether masks are in force.
        fast_parsing: Reads items of answers where botocore would read the same.
        handlers: The handlers of botocore's events.
        attached: Clients covered although nothing global is installed.
        detached: Clients left alone although everything else is covered.
        patches: The wrapped methods by patch point.
    """

    def __init__(self, guard: Guard, *, is_global: bool) -> None:
        self.guard = guard
        self.is_global = is_global
        self.is_stamping = guard.resolved.settings.stamp
        self.names_scope = guard.resolved.settings.stamp_scope
        masks = guard.document.masks if guard.document is not None else ()
        self.is_masking = bool(masks) and guard.resolved.settings.mask
        self.fast_parsing = FastParsing(is_on=guard.resolved.settings.fast_parse)
        self._withheld_logs = _withheld_data() if self.is_masking else None
        self._clients = ClientRegistry()
        self._wrappers = SyncWrappers(self)
        self.handlers = EventHandlers(self)
        self.attached: weakref.WeakSet[Any] = weakref.WeakSet()
        self.detached: weakref.WeakSet[Any] = weakref.WeakSet()
        self.patches: dict[PatchPoint, Patch] = {}
        self._writer_patch: Patch | None = None
        self._has_detached = False

    # --- putting in place and taking back ------------------------------------------------------

    def apply(self) -> None:
        """Wraps the patch points and hears of sessions to come.

        Raises:
            PatchPointError: A point is missing or changed; nothing is wrapped then.
        """
        owners = {point: point.resolve() for point in SYNC_POINTS}
        self.handlers = EventHandlers(self)  # those of before are ended
        for point, owner in owners.items():
            self._wrap(point, owner, getattr(self._wrappers, point.name))
        for point in OPTIONAL_POINTS:
            with suppress(PatchPointError):
                if point not in TIME_SAVING_POINTS or point.is_botocores():
                    self._wrap(point, point.resolve(), _OPTIONAL_WRAPPERS[point])
        botocore.register_initializer(self._greet_session)
        if self._withheld_logs is not None:
            self._withheld_logs.install()
        self._greet_default_session()
        self._keep_batches()
        self._wrap_aiobotocore_once_imported()

    def widen(self) -> None:
        """Covers every client from now on, not only the attached ones."""
        self.is_global = True
        self._greet_default_session()

    def remove(self) -> None:
        """Restores every method and takes every handler off."""
        for patch in self.patches.values():
            patch.remove()
        self.patches.clear()
        if self._writer_patch is not None:
            self._writer_patch.remove()
            self._writer_patch = None
        botocore.unregister_initializer(self._greet_session)
        if self._withheld_logs is not None:
            self._withheld_logs.remove()
        self.handlers.unregister_all()
        self._clients = ClientRegistry()  # it remembers which emitters have handlers

    def _wrap(self, point: PatchPoint, owner: type | ModuleType, wrapper: Any) -> None:
        """Wraps one point."""
        patch = self.patches[point] = Patch(owner, point.name, wrapper)
        patch.apply()

    def _wrap_aiobotocore_once_imported(self) -> None:
        """aiobotocore's clients get their twin when, and only when, it is imported."""
        if importlib.util.find_spec("aiobotocore") is None:
            return
        import wrapt  # it pulls in asyncio; a process without aiobotocore must not pay for it

        def wrap(_module: Any) -> None:
            if not self.patches:
                return  # uninstalled meanwhile: import hooks cannot be taken back
            from dynaguard.hooks.aio import AioWrappers

            wrappers = AioWrappers(self)
            for point in AIO_POINTS:
                self._wrap(point, point.resolve(), getattr(wrappers, point.name))

        wrapt.register_post_import_hook(wrap, "aiobotocore.client")

    def _greet_session(self, session: Any) -> None:
        """Registers the handlers on a new session, whose clients copy them."""
        if self.is_global:
            emitter = session.get_component("event_emitter")
            self.handlers.register(emitter)
            emitter.register_last(batch_writer.EVENT, self._keep_batches)

    def _keep_batches(self, **_: Any) -> None:
        """boto3's batch writer keeps what it could not write, from when it is loaded."""
        owner = batch_writer.batch_writer_class()
        is_wanted = bool(self.patches) and self.guard.resolved.settings.budget
        if owner is not None and self._writer_patch is None and is_wanted:
            self._writer_patch = Patch(owner, "_flush", batch_writer.flush)
            self._writer_patch.apply()

    def _greet_default_session(self) -> None:
        """boto3's default session may be older than the installation."""
        import sys

        boto3 = sys.modules.get("boto3")
        default = getattr(boto3, "DEFAULT_SESSION", None)
        if default is not None:
            self._greet_session(default._session)

    def attach(self, client: Any) -> None:
        """Covers one client."""
        self.detached.discard(client)
        self.attached.add(client)

    def detach(self, client: Any) -> None:
        """Leaves one client alone."""
        self.attached.discard(client)
        self.detached.add(client)
        self._has_detached = True

    # --- per call ----------------------------------------------------------------------------

    def facts_of(self, client: Any) -> ClientFacts:
        """What the client's calls have in common; at its first call it gets the handlers."""
        facts = self._clients.facts_of(client)
        if not facts.has_handlers:
            self.handlers.register(client.meta.events)
            self._keep_batches()
            facts.has_handlers = True
        return facts

    def covers(self, client: Any, operation: str) -> bool:
        """Whether a call of this client, made now, is guarded."""
        if self.is_global:
            if self._has_detached and client in self.detached:
                return False
        elif client not in self.attached:
            return False
        return not is_within_another() or not is_exempt(client._service_model, operation)

    def decide(
        self,
        call: Call,
        context: dict[str, Any],
        frame: Frame | None,
        service_id: str,
        *,
        may_wait: bool = True,
    ) -> Passage:
        """Decides a call and leaves its passage in botocore's context.

        Args:
            call: The call.
            context: botocore's request context.
            frame: What is known of the whole call, or None.
            service_id: The service as spans show it.
            may_wait: Whether it may wait for people: never in an event loop.

        Raises:
            PolicyDenied: The call is refused.
            GuardFailure: dynaguard failed and `on_error` is `deny`.
        """
        guard = self.guard
        if frame is None or call.is_presign:
            passage = guard.enter(call, may_wait=may_wait)
        else:
            frame.is_decided = True
            span = guard.rooms.telemetry.start(call, service_id=service_id)
            passage = guard.enter(call, started_s=frame.started_s, span=span, may_wait=may_wait)
            passage.is_observed = True
            if span is not None and not span.is_owned:
                span.introduce(call, passage.principal, passage.decision)
            frame.passage = passage
        context[CONTEXT_KEY] = passage
        return passage

    def adopt(self, context: dict[str, Any], passage: Passage) -> None:
        """Takes a passage that was decided late; it is recorded when its answer comes."""
        context[CONTEXT_KEY] = passage

    def note_answer(self, passage: Passage) -> None:
        """Records a call at its answer where its end will not be seen.

        That is the end of the call where a peer took the outer wrapper off, and the end of the
        span where it is a peer's: a peer inside of our wrapper ends its span before we see the
        end of the call.
        """
        code = passage.answer.error_code if passage.answer else None
        status = Status.ERROR if code else Status.OK
        if passage.is_observed:
            self.guard.recording.annotate(passage, status, code)
        else:
            self.guard.leave(passage, status, code)

    def close(self, passage: Passage) -> None:
        """Records a call that ended well.

        Raises:
            GuardFailure: The answer should have been masked and was not (a handler was taken
                off): it is withheld.
        """
        if passage.plan is not None and not passage.is_masked:
            self.guard.counters.failures += 1
            self.guard.leave(passage, Status.ERROR, "GuardFailure")
            raise self.guard.withheld(
                passage, "dynaguard's `after-call` handler was unregistered from this client"
            )
        self.guard.leave(passage, Status.OK)

    def close_with_error(
        self, frame: Frame, operation: str, err: BaseException, params: Any
    ) -> None:
        """Records a call that raised `err`, and adds the note on a spent budget. Never raises.

        With masks in force the values of the request come out of the error's text first.
        """
        if self.is_masking:
            from dynaguard.hooks.texts import hide_values

            hide_values(err, params)
        status, code = status_and_code(err)
        passage = frame.passage
        if passage is not None:
            if passage.budget_refusal is not None:
                err.add_note(f"dynaguard: {passage.budget_refusal}")
            self.guard.leave(passage, status, code)
        elif not frame.is_decided:  # a denial was recorded by the deciding step
            self._record_unsent(frame, operation, code)

    def _record_unsent(self, frame: Frame, operation: str, code: str) -> None:
        """Records a call that failed before it could be decided (parameter validation)."""
        try:
            call = self._clients.facts_of(frame.client).call(operation, {}, None)
            self.guard.note_unsent(call, frame.started_s, code)
        except Exception as failure:  # noqa: BLE001 - it must not replace the caller's own error
            self.guard.counters.failures += 1
            kind = type(failure).__name__
            _log.warning("a failed call of `%s` could not be recorded (%s)", operation, kind)


def _withheld_data() -> WithheldData:
    """Keeps botocore's debug log from showing what masks hide."""
    from dynaguard.hooks.logs import WithheldData

    return WithheldData()


def status_and_code(err: BaseException) -> tuple[Status, str]:
    """How a call ended that raised `err`, and under which code it is recorded."""
    if isinstance(err, PolicyDenied | GuardFailure):
        return Status.DENIED, err.response["Error"]["Code"]
    if isinstance(err, ClientError):
        return Status.ERROR, err.response.get("Error", {}).get("Code", type(err).__name__)
    return Status.ERROR, type(err).__name__
