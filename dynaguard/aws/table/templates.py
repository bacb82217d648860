"""ARNs with placeholders: filled from a call's parameters, or recognised in a parameter.

A value that could be read otherwise than as the name in the ARN (with a colon, of odd characters,
of another type) fills nothing: that part of the ARN is unknown then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from dynaguard.aws.arns import NAME_CHARS, Place, is_arn, is_made_of
from dynaguard.call import UNKNOWN_RUN

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z0-9_-]*)(\[\])?\}")
_FIELDS: Final = 4
_MAX_LENGTH: Final = 1024
_INNER_CHARS: Final = NAME_CHARS + "+=,@"
_LAST_CHARS: Final = _INNER_CHARS + "/# "
_ANY: Final = ("*",)
"""The resource of a template that only takes whole ARNs, of any type of the service."""


@dataclass(frozen=True, slots=True)
class Template:
    """The ARN of one type of resource, for the operations that name it alike.

    Attributes:
        service: The service in the ARN.
        region: `R` for the call's, `?` for an unknown one, empty for none.
        account: `A` for the call's, `?` for an unknown one, else as it is (empty, `aws`).
        pieces: Literal texts and placeholders in turn, beginning and ending with a literal.
        parameters: The parameter of each placeholder, empty where nothing tells.
        own: Which placeholder names the resource itself: the last that is told; -1 for none.
        is_list: Whether the parameter of that placeholder is a list.
        holders: Parameters that may hold the whole ARN.
    """

    service: str
    region: str
    account: str
    pieces: tuple[str, ...]
    parameters: tuple[str, ...]
    own: int
    is_list: bool
    holders: tuple[str, ...]

    @property
    def named(self) -> frozenset[str]:
        """The parameters that tell placeholders."""
        return frozenset(name for name in self.parameters if name)

    def is_told_by(self, params: Mapping[str, Any]) -> bool:
        """Whether the parameters of a call tell that this type is meant."""
        named = self.named
        return (bool(named) and all(name in params for name in named)) or self.holds_arn(params)

    def holds_arn(self, params: Mapping[str, Any]) -> bool:
        """Whether a parameter holds a whole ARN of this type."""
        return any(self._is_mine(params.get(name)) for name in self.holders)

    def fill(
        self, params: Mapping[str, Any], place: Place, *, is_folded: bool = False
    ) -> Sequence[str]:
        """The ARNs that a call means, one or, for a list, one per member.

        Args:
            params: The call's parameters.
            place: Where the resource lives, unless a whole ARN is given.
            is_folded: Whether the service turns names into lower case.
        """
        held = [params[name] for name in self.holders if name in params]
        if held:
            # Whatever else is named, an ARN of another shape leaves the resource open.
            mine = [value for value in held if self._is_mine(value)]
            return (mine[0] if len(mine) == 1 else UNKNOWN_RUN,)
        if self.pieces == _ANY:
            return (UNKNOWN_RUN,)
        own = params.get(self.parameters[self.own]) if self.own >= 0 else None
        if not self.is_list:
            return (self._filled(params, own, place, is_folded=is_folded),)
        if not isinstance(own, list | tuple) or not own:
            return (UNKNOWN_RUN,)
        return [self._filled(params, member, place, is_folded=is_folded) for member in own]

    def _filled(
        self, params: Mapping[str, Any], own: Any, place: Place, *, is_folded: bool
    ) -> str:
        """The ARN with that value as the resource's own name."""
        if self._is_mine(own):
            return str(own)
        values = [params.get(name) if name else None for name in self.parameters]
        if self.own >= 0:
            values[self.own] = own
            self._split_own(values)
        # A slash inside of a name does no harm where no slash stands between names.
        last = -1 if "/" not in "".join(self.pieces[1:]) else len(values) - 1
        resource = self.pieces[0]
        for at, value in enumerate(values):
            is_id = self.parameters[at].lower().endswith("id")
            chars = _LAST_CHARS if last in (at, -1) and not is_id else _INNER_CHARS
            text = _part(value, chars, is_folded=is_folded)
            if resource.endswith("/") and text.startswith("/"):
                # Whether the service drops the second slash is not known.
                text = UNKNOWN_RUN
            resource += text + self.pieces[at + 1]
        region, account = self._region(place), self._account(place)
        if any(is_arn(value) for value in values):
            # Where a name may be another account's, only the shape is certain.
            region, account = region and UNKNOWN_RUN, account and UNKNOWN_RUN
        return f"arn:{place.partition}:{self.service}:{region}:{account}:{resource}"

    def _split_own(self, values: list[Any]) -> None:
        """Share `family:revision` between its two placeholders."""
        own, after = values[self.own], self.own + 1
        if after == len(values) - 1 and self.pieces[after] == ":" and isinstance(own, str):
            name, colon, rest = own.partition(":")
            if colon and rest:
                values[self.own], values[after] = name, rest

    def _region(self, place: Place) -> str:
        """The region of the ARN."""
        if self.region == "R" and not place.region.startswith("aws-"):
            return place.region
        return UNKNOWN_RUN if self.region else ""

    def _account(self, place: Place) -> str:
        """The account of the ARN."""
        return {"A": place.account, "?": UNKNOWN_RUN}.get(self.account, self.account)

    def _is_mine(self, value: Any) -> bool:
        """Whether a value is a whole ARN of this type, without wildcards."""
        if not isinstance(value, str) or len(value) > _MAX_LENGTH or not is_arn(value):
            return False
        return _shape(self.service, bool(self.account), self.pieces).fullmatch(value) is not None


def read_template(text: str, *, call_prefix: str) -> Template:
    """A template from its text in a table, see `dynaguard.aws.table`.

    Args:
        text: `ClusterArn=cluster/{Name}`, `arn:iam::A:role/{}{RoleName}`.
        call_prefix: IAM's prefix of the service, which a text without `arn:` leaves out.
    """
    holders, equals, arn = text.rpartition("=")
    service, region, account, resource = call_prefix, "R", "A", arn
    if arn.startswith("?"):
        region, account, resource = "?", "?", arn.removeprefix("?")
    elif arn.startswith("arn:"):
        service, region, account, resource = arn.removeprefix("arn:").split(":", _FIELDS - 1)
    found = list(_PLACEHOLDER.finditer(resource))
    ends = [0, *(match.end() for match in found)]
    starts = [*(match.start() for match in found), len(resource)]
    parameters = tuple(match.group(1) for match in found)
    return Template(
        service=service,
        region=region,
        account=account,
        pieces=tuple(resource[end:start] for end, start in zip(ends, starts, strict=True)),
        parameters=parameters,
        own=max((at for at, name in enumerate(parameters) if name), default=-1),
        is_list=any(match.group(2) for match in found),
        holders=tuple(holders.split(",")) if equals else (),
    )


def _part(value: Any, chars: str, *, is_folded: bool) -> str:
    """What a parameter gives for a placeholder."""
    if not is_made_of(value, chars, _MAX_LENGTH) or (is_folded and value != value.lower()):
        return UNKNOWN_RUN
    return str(value)


@cache
def _shape(service: str, has_account: bool, pieces: tuple[str, ...]) -> re.Pattern[str]:  # noqa: FBT001
    """What an ARN of a type looks like; made at the first ARN of the type."""
    inner, last = r"[^:/*?\s]+", r"[^:*?\x00-\x1f]+"
    if pieces == _ANY:
        return re.compile(rf"arn:[a-z-]+:{re.escape(service)}:[a-z0-9-]*:[^:*?]*:[^*?\x00-\x1f]+")
    resource = re.escape(pieces[0])
    for at, literal in enumerate(pieces[1:], start=1):
        is_last = at == len(pieces) - 1
        # Two placeholders side by side are a path and a name: one run of characters.
        resource += "" if not literal and not is_last else (last if is_last else inner)
        resource += re.escape(literal)
    account = "[^:*?]+" if has_account else ""
    return re.compile(rf"arn:[a-z-]+:{re.escape(service)}:[a-z0-9-]*:{account}:{resource}")
