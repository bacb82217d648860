"""What masks do to one call: open its cursors and tokens, refuse write-backs, mask its answer.

Part of the guard, split from it for size. Works on a passage, and never decides whether a call may
go: it refuses what would do harm, by the errors that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.aws.analysis import authorizations, is_write, tables_of
from dynaguard.errors import CursorRefused, MaskedWriteRefused, TamperedRequest
from dynaguard.masking import (
    BegunPlan,
    CursorFault,
    MaskedRequest,
    MaskPlan,
    Masks,
    binding_of,
    find_marker,
)
from dynaguard.masking.cursors import openings_of
from dynaguard.masking.locations import SECRET_WRITES
from dynaguard.passage import Passage

if TYPE_CHECKING:
    from dynaguard.call import Call
    from dynaguard.errors import PolicyDenied
    from dynaguard.masking import CursorSeals

Refuse = Callable[[type[Any], Passage, str], "PolicyDenied"]
"""Makes a refusal that is no verdict of the policy, from its kind, the call and a message."""


class Concealment:
    """The masks of a guard at work. Thread-safe.

    Args:
        masks: The masks.
        refuse: Makes refusals.
    """

    __slots__ = ("_masks", "_refuse")

    def __init__(self, masks: Masks, refuse: Refuse) -> None:
        self._masks = masks
        self._refuse = refuse

    def unseal(self, passage: Passage) -> None:
        """Step: cursors and tokens of the request become the values that they stand for.

        The caller's own parameters stay as they are; the call goes on with a copy.

        Raises:
            CursorRefused: A cursor is forged, foreign or expired, or would go into a URL.
            MaskedWriteRefused: A masked value would go into a URL.
        """
        masks, call = self._masks, passage.call
        if call.is_presign:
            self._refuse_in_url(passage)
            return
        cursor = call.params.get("ExclusiveStartKey")
        if cursor is not None and masks.seals is not None and isinstance(cursor, Mapping):
            passage.call = call = self._with_true_cursor(passage, masks.seals, cursor)
        if masks.restores and find_marker(call.params) is not None:
            tables = tables_of(authorizations(call, passage.principal.account_id))
            params = masks.restored(call.params, tables, passage.principal)
            passage.call = call._replace(params=params)

    def _refuse_in_url(self, passage: Passage) -> None:
        """A presigned URL shows its parameters to whoever holds it, so nothing is opened in it.

        Raises:
            CursorRefused: It would hold a cursor.
            MaskedWriteRefused: It would hold another masked value.
        """
        call = passage.call
        place = find_marker(call.params) if call.service == "dynamodb" else None
        if place is None:
            return
        is_cursor = find_marker({"": call.params.get("ExclusiveStartKey")}) is not None
        message = (
            f"no URL is presigned for {call.operation}: the masked value of `{place}` is opened "
            "into no URL, which shows what it holds, make the call itself"
        )
        raise self._refuse(CursorRefused if is_cursor else MaskedWriteRefused, passage, message)

    def _with_true_cursor(
        self, passage: Passage, seals: CursorSeals, cursor: Mapping[str, Any]
    ) -> Call:
        """The call with its cursor as AWS gave it."""
        call = passage.call
        if find_marker({"ExclusiveStartKey": cursor}) is None:
            return call
        try:
            unsealed = seals.unseal(cursor, *openings_of(call, passage.principal))
        except CursorFault as fault:
            message = (
                f"{call.operation} was not sent: the cursor in `ExclusiveStartKey` (attribute "
                f"`{fault.attribute}`) {fault.reason}, begin again without it"
            )
            raise self._refuse(CursorRefused, passage, message) from None
        return call._replace(params={**call.params, "ExclusiveStartKey": unsealed})

    def plan(self, passage: Passage) -> None:
        """Step: what of the answer this principal may not see."""
        call = passage.call
        if not call.is_presign:
            passage.plan = self._masks.plan_for(
                call.service,
                call.operation,
                passage.tables,
                passage.principal,
                call.params,
                prefix=call.service_prefix,
            )

    def inspect(self, passage: Passage) -> None:
        """Step: a masked value must not go back into a table, a secret or a parameter.

        Raises:
            MaskedWriteRefused: It would.
        """
        call = passage.call
        if call.service == "dynamodb":
            if not is_write(call.service, call.operation, call.params):
                return
        elif (call.service, call.operation) not in SECRET_WRITES:
            return
        place = find_marker(call.params)
        if place is not None:
            what = "attribute" if call.service == "dynamodb" else "parameter"
            message = (
                f"{call.operation} would write the masked value of {what} `{place}` back, read it "
                f"as an identity that the mask leaves out, or leave the {what} out of the write"
            )
            if self._masks.restores and what == "attribute":
                message += "; a token opens only for its mask's writers, where that mask names it"
            raise self._refuse(MaskedWriteRefused, passage, message)

    def begin(self, passage: Passage, member: str, items: Any) -> None:
        """Masks the items of an answer in place while it is read; `mask` does the rest.

        Args:
            passage: The call.
            member: The member of the answer that holds them.
            items: Its value, well formed.

        Effects: as `MaskPlan.begin`; never raises.
        """
        plan = passage.plan
        if isinstance(plan, BegunPlan):
            plan = plan.plan  # the answer of an earlier attempt does not count
        if isinstance(plan, MaskPlan):
            passage.plan = plan.begin(member, items) or plan

    def mask(
        self, passage: Passage, parsed: dict[str, Any], sensitive: Callable[[], object] | None
    ) -> None:
        """Masks a parsed answer in place, as planned. May raise."""
        call, principal, plan = passage.call, passage.principal, passage.plan
        if isinstance(plan, BegunPlan) and plan.is_done(parsed):
            passage.masked = plan.counts
        elif plan is not None:
            request = MaskedRequest(call.params, lambda: binding_of(call, principal), sensitive)
            passage.masked = plan.apply(parsed, request)

    def out_of_reach(self, passage: Passage) -> PolicyDenied:
        """The refusal of a request whose sealed values stand where they cannot be opened."""
        return self._refuse(
            TamperedRequest,
            passage,
            f"{passage.call.operation} was not sent: it went around the client's own methods, "
            "where the cursors and tokens of a request are opened",
        )
