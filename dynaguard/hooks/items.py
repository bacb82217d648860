"""`mask_item` and `unmask_item`: items that do not come through a client of this process."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.aws.arns import NAME_CHARS, is_arn, is_made_of
from dynaguard.aws.dynamodb.resources import names_in
from dynaguard.call import NO_CREDENTIALS
from dynaguard.errors import ConfigurationError
from dynaguard.guard import Guard
from dynaguard.hooks.lifecycle import current
from dynaguard.masking.restoring import restore_item
from dynaguard.masking.tokens import Tokenizer
from dynaguard.masking.walk import Sink
from dynaguard.masking.walk import mask_item as mask_in_place
from dynaguard.scope import current_scope
from dynaguard.settings.table import MIN_MASK_KEY_LENGTH

_MAX_NAME_LENGTH: Final = 255


def mask_item(item: Mapping[str, Any], *, table: str) -> dict[str, Any]:
    """A copy of an item, masked as an answer of its table would be.

    For items that arrive by other ways than a call: records of a stream in a Lambda event, an
    export, a message. Masks of every operation count, for the identity that is known without
    credentials (`identity` of the settings, the surroundings, `acting_as()`); what is not known of
    it never shows a value.

    Args:
        item: Attribute name to value in DynamoDB JSON, as in
            `event["Records"][0]["dynamodb"]["NewImage"]`; binary values as bytes or, as in Lambda
            events, base64 text. Not changed.
        table: Name of the table, or its ARN or that of its stream (`eventSourceARN`).

    Returns:
        The masked copy; equal to the item where no mask names anything in it.

    Raises:
        ConfigurationError: Nothing is installed, the item is no mapping, or the table is neither
            a name nor an ARN that holds one.

    Effects: calls nothing; counts nothing. Thread-safe.
    """
    masks = _guard_in_force().rooms.masks
    found = copy.deepcopy(_checked(item))
    name = _checked_table(table)
    if masks is None:
        return found
    principal = _guard_in_force().rooms.resolver.resolve(NO_CREDENTIALS, current_scope())
    tree = masks.tree_for(name, principal)
    if tree is not None:
        sink = Sink()
        mask_in_place(found, tree, sink)
        sink.finish()
    return found


def unmask_item(item: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
    """A copy of an item with the values in place of its `tokenize` tokens.

    For holders of the key. Tokens under another key stay as they are, and so do the tokens of
    other strategies, which hold nothing.

    Args:
        item: Attribute name to value in DynamoDB JSON. Not changed.
        key: The key; not given: that of the guard in force.

    Raises:
        ConfigurationError: The item is no mapping, no key is given and none is in force, or the
            key is shorter than keys may be.
        MissingExtraError: `cryptography` is not installed.
    """
    found = copy.deepcopy(_checked(item))
    if key is not None and len(key) < MIN_MASK_KEY_LENGTH:
        raise ConfigurationError(f"a key has at least {MIN_MASK_KEY_LENGTH} characters")
    if key is not None:
        tokenizer: Tokenizer | None = Tokenizer(key.encode())
    else:
        masks = _guard_in_force().rooms.masks
        tokenizer = masks.tokenizer if masks is not None else None
    if tokenizer is None:
        raise ConfigurationError("no key for tokens is in force, give `key`")
    return dict(restore_item(found, tokenizer))


def _checked(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise ConfigurationError(f"an item is a mapping, this is a `{type(item).__name__}`")
    return dict(item)


def _checked_table(table: object) -> str:
    """The table, as it was given.

    Raises:
        ConfigurationError: It is neither a name nor an ARN that holds one. No mask would name such
            a table, and the copy would be plain.
    """
    name = names_in(table)[0] if isinstance(table, str) and is_arn(table, "dynamodb") else table
    if not isinstance(table, str) or not is_made_of(name, NAME_CHARS, _MAX_NAME_LENGTH):
        raise ConfigurationError(
            "`table` is the name of a DynamoDB table or an ARN that begins with the table's "
            "(`arn:aws:dynamodb:...:table/NAME`), pass the table's name where there is only "
            "another ARN, such as that of a Kinesis stream"
        )
    return table


def _guard_in_force() -> Guard:
    guard, _ = current()
    if guard is None:
        raise ConfigurationError(
            "nothing is installed, so no mask is known, call `dynaguard.install()` first"
        )
    return guard
