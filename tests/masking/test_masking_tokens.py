"""Tokens that hold their value, and requests that get it back."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import Principal, StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.masking import MARKER, Masks
from dynaguard.masking.strategies import REDACTED, strategy_of
from dynaguard.masking.tokens import TOKEN_PATTERN, Tokenizer
from dynaguard.policy.model import MaskStatement, PrincipalPattern

KEY = b"k" * 32
TOKENIZER = Tokenizer(KEY)
MASK = MaskStatement(
    StatementRef("Customers"),
    ("customers",),
    (("email",), ("profile",)),
    "tokenize",
    unseal=(PrincipalPattern("group", "writers"),),
)
TOKENS = strategy_of(MASK, KEY)
WRITER = Principal(name="w", groups=frozenset({"writers"}))
STRANGER = Principal(name="s", arns=("arn:aws:iam::111122223333:role/s",), arns_complete=True)


def token(text: str = "ada@example.org") -> str:
    """A token of the mask `Customers`."""
    return TOKENS.mask_text(text)


@given(st.text())
def test_a_token_holds_its_value_and_does_not_show_it(text: str) -> None:
    """opens to the text and carries the marker."""
    made = TOKENS.mask_text(text)

    assert made.startswith(MARKER)
    assert TOKEN_PATTERN.fullmatch(made)
    assert len(text) < 4 or text not in made
    sealed = TOKENIZER.read(made)
    assert sealed is not None
    assert sealed.value == {"S": text}
    assert sealed.mask == "Customers"


def test_tokens_of_equal_values_differ() -> None:
    """does not tell that two values are equal, unlike a hash."""
    assert token() != token()


def test_a_token_again_stays_as_it_is() -> None:
    """keeps what it made, and what another strategy redacted."""
    made = token()

    assert TOKENS.mask_text(made) == made
    assert TOKENS.mask_text(REDACTED) == REDACTED


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made[:-4] + "AAA!",
        lambda made: made[:-1],
        lambda made: made.replace("tok:", "tok:A"),
        lambda made: MARKER + "tok:!",
        lambda made: MARKER + "tok:" + "é" * 40 + "!",
        lambda made: Tokenizer(b"x" * 32).make("S", ("x",), mask="Customers"),
    ],
)
def test_a_changed_or_foreign_token_is_none(change: Any) -> None:
    """opens nothing that it did not make, and masks it like any other value."""
    changed = change(token())

    assert TOKENIZER.read(changed) is None
    assert TOKENS.mask_text(changed) != changed


@pytest.mark.parametrize(
    "value",
    [
        {"S": "x"},
        {"N": "41.50"},
        {"B": b"\0\xff"},
        {"NS": ["1", "2.0"]},
        {"BS": [b"a", b""]},
        {"SS": ["a", "b"]},
    ],
)
def test_every_type_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """restores the type too: a masked number is a number again."""
    item = {"email": copy.deepcopy(value), "other": {"S": "kept"}}
    masks = Masks((MASK,), key=KEY)
    masked = mask(masks, item)
    assert masked["email"] != value

    restored = masks.restored({"Item": masked}, ("customers",), WRITER)

    assert restored == {"Item": item}


def mask(masks: Masks, item: dict[str, Any]) -> dict[str, Any]:
    """A masked copy."""
    from dynaguard.masking.walk import Sink, mask_item

    tree = masks.tree_for("customers", STRANGER)
    assert tree is not None
    found: Any = mask_item(copy.deepcopy(item), tree, Sink())
    return dict(found)


def test_what_is_restored_is_a_copy() -> None:
    """never writes into the caller's own parameters, and keeps what does not change."""
    params = {"Item": {"email": {"S": token()}, "list": {"L": [{"S": "a"}]}}}
    before = copy.deepcopy(params)

    restored = open_tokens(params)

    assert params == before
    assert restored["Item"]["list"] is params["Item"]["list"]
    assert restored["Item"]["email"] == {"S": "ada@example.org"}


def open_tokens(params: dict[str, Any]) -> Any:
    """The parameters as a writer's call sends them."""
    return Masks((MASK,), key=KEY).restored(params, ("customers",), WRITER)


def test_without_tokens_the_parameters_stay_the_same_object() -> None:
    """costs no copy."""
    params = {"Item": {"a": {"S": "x"}, "b": {"L": [{"N": "1"}]}, "s": {"SS": ["x"]}}}

    assert open_tokens(params) is params


@pytest.mark.parametrize(
    ("tables", "principal"),
    [
        (("customers",), STRANGER),
        (("customers",), Principal()),
        (("orders",), WRITER),
        (("customers", "orders"), WRITER),
        ((), WRITER),
    ],
)
def test_only_trusted_writers_of_the_mask_s_tables_get_values_back(
    tables: tuple[str, ...], principal: Principal
) -> None:
    """leaves the token for everybody else, and where a table is not the mask's."""
    params = {"Item": {"email": {"S": token()}}}

    assert Masks((MASK,), key=KEY).restored(params, tables, principal) is params


def test_a_token_of_another_mask_is_not_opened() -> None:
    """a token cannot be carried into a table whose mask trusts others."""
    other = TOKENIZER.make("S", ("secret",), mask="Salaries")
    params = {"Item": {"note": {"S": f"see {other}"}, "a": {"S": other}, "s": {"SS": [other]}}}

    assert Masks((MASK,), key=KEY).restored(params, ("customers",), WRITER) is params


def test_tokens_need_a_key() -> None:
    """says where to give it."""
    with pytest.raises(ConfigurationError, match="`tokenize` mask and there is no key"):
        Masks((MASK,), key=None)


def test_without_the_extra_the_error_names_it() -> None:
    """names the install command where `cryptography` is missing."""
    program = (
        "import sys; sys.modules['cryptography.hazmat.primitives.ciphers.aead'] = None\n"
        "from dynaguard.masking.tokens import Tokenizer\n"
        "from dynaguard import MissingExtraError\n"
        "try: Tokenizer(b'k' * 32)\n"
        "except MissingExtraError as err: print(err)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert "pip install 'dynaguard[sign]'" in found.stdout
