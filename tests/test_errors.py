"""The error tree: what callers can catch, what an error holds, and that it survives a pickle."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from dynaguard import errors
from dynaguard.call import (
    UNKNOWN_ACCOUNT,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    Decision,
    StatementRef,
    Verdict,
)
from dynaguard.errors import (
    AuditUnavailable,
    CapacityLimitReached,
    ConfigurationError,
    DynaguardError,
    DynaguardWarning,
    GuardFailure,
    MaskedWriteRefused,
    MissingExtraError,
    PatchPointError,
    PolicyDenied,
    PolicySyntaxError,
    Problem,
    TamperedRequest,
    nearest,
    readable_arn,
)

REFUSALS = [
    PolicyDenied,
    MaskedWriteRefused,
    TamperedRequest,
    AuditUnavailable,
    CapacityLimitReached,
    GuardFailure,
]
ITEM_VALUE = "an item value that stays inside"
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
# botocore's lists of what it retries.
THROTTLING_CODES = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "TooManyRequestsException",
}


def a_decision(body: object = ITEM_VALUE) -> Decision:
    """A refusal of one of two members of a call."""
    allowed = Authorization("dynamodb:PutItem", "arn:aws:dynamodb:::table/a", {"Item": body})
    refused = Authorization(
        "dynamodb:PutItem", f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/b", {"Item": body}
    )
    return Decision(
        Verdict.DENY,
        authorizations=(allowed, refused),
        offending=refused,
        statement=StatementRef("NoWrites", "policy.toml", 12),
        reason="denied by statement `NoWrites` (policy.toml:12)",
        how_to_allow="narrow or remove that statement",
    )


def a_denial(kind: type[PolicyDenied] = PolicyDenied, service: str = "dynamodb") -> PolicyDenied:
    """A refusal as the guard makes it."""
    return kind(
        "PutItem was refused",
        operation="PutItem",
        service=service,
        decision=a_decision(),
        identity="etl",
    )


def all_errors() -> list[DynaguardError]:
    """One of each sort that is raised."""
    return [
        DynaguardError("root"),
        ConfigurationError("bad settings"),
        PolicySyntaxError([Problem("unknown effect `Alow`", "statement[0].Effect", "p.toml", 3)]),
        PatchPointError("botocore 9.9 lacks `BaseClient._convert_to_request_dict`"),
        MissingExtraError("a YAML policy", "yaml"),
        *(a_denial(kind) for kind in REFUSALS),
    ]


# --- the tree ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (ConfigurationError, (DynaguardError, ValueError)),
        (PolicySyntaxError, (ConfigurationError,)),
        (PatchPointError, (ConfigurationError,)),
        (MissingExtraError, (DynaguardError, ImportError)),
        (PolicyDenied, (DynaguardError, ClientError)),
        (MaskedWriteRefused, (PolicyDenied,)),
        (TamperedRequest, (PolicyDenied,)),
        (AuditUnavailable, (PolicyDenied,)),
        (CapacityLimitReached, (PolicyDenied,)),
        (GuardFailure, (DynaguardError, ClientError)),
        (DynaguardWarning, (UserWarning,)),
    ],
)
def test_an_error_is_caught_as_its_families(
    kind: type[Exception], bases: tuple[type[Exception], ...]
) -> None:
    """By dynaguard's own root and by what existing code catches."""
    assert issubclass(kind, bases[0])
    assert all(issubclass(kind, base) for base in bases)


def test_a_failure_of_dynaguard_is_no_denial() -> None:
    """`except PolicyDenied` means that a policy, or a protection, said no."""
    assert not issubclass(GuardFailure, PolicyDenied)


def test_every_error_is_exported_sorted_and_drawn_in_the_tree() -> None:
    """The drawing at the top of the module names each error once."""
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and not name.startswith("_")
        if value.__module__ == errors.__name__
    }

    assert sorted(errors.__all__) == errors.__all__
    assert set(errors.__all__) == kinds | {"Problem"}
    drawing = errors.__doc__ or ""
    assert {name for name in kinds if name not in drawing} == {"DynaguardWarning"}


# --- what a refusal holds ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("dynamodb", "AccessDeniedException", 400),
        ("", "AccessDeniedException", 400),
        ("s3", "AccessDenied", 403),
    ],
)
def test_a_refusal_reads_as_an_answer_of_aws(
    kind: type[PolicyDenied], service: str, code: str, status: int
) -> None:
    """Code that indexes a ClientError's response finds everything, and retries nothing."""
    err = a_denial(kind, service)

    assert err.response["Error"] == {"Code": code, "Message": "PutItem was refused"}
    assert err.response["ResponseMetadata"] == {
        "RequestId": "",
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }
    assert err.response["Dynaguard"] == {"kind": kind.__name__, "identity": "etl"}  # type: ignore[typeddict-item]
    assert err.operation_name == "PutItem"
    assert code not in THROTTLING_CODES
    assert str(err) == (
        f"An error occurred ({code}) when calling the PutItem operation: PutItem was refused"
    )


def test_a_refusal_tells_what_decided() -> None:
    """Statement, resource, reason and the way out are read from the decision."""
    err = a_denial()

    assert err.statement == StatementRef("NoWrites", "policy.toml", 12)
    assert err.resource == "arn:aws:dynamodb:eu-west-1:<unknown>:table/b"
    assert err.reason == "denied by statement `NoWrites` (policy.toml:12)"
    assert err.how_to_allow == "narrow or remove that statement"
    assert (err.operation, err.service, err.identity) == ("PutItem", "dynamodb", "etl")


def test_a_refusal_without_a_decision_tells_its_message() -> None:
    """A failure before deciding has no statement and no resource."""
    err = GuardFailure("dynaguard failed", operation="GetItem")

    assert (err.decision, err.statement, err.resource) == (None, None, None)
    assert (err.reason, err.how_to_allow) == ("dynaguard failed", "")
    assert (err.service, err.identity) == ("", "unknown")


def test_a_decision_without_an_offending_part_names_no_resource() -> None:
    """A seal that broke after an allowed decision, for example."""
    err = TamperedRequest("changed", operation="GetItem", decision=Decision(Verdict.ALLOW))

    assert err.decision == Decision(Verdict.ALLOW)
    assert err.resource is None


def test_a_refusal_holds_no_item_values() -> None:
    """An error outlives its call: reporters walk its attributes, workers send it on."""
    given_decision = a_decision()
    err = PolicyDenied("refused", operation="PutItem", decision=given_decision)

    assert err.decision is not None
    assert err.decision.reason == given_decision.reason
    assert all(not need.member for need in err.decision.authorizations)
    assert err.decision.offending is not None
    assert not err.decision.offending.member
    assert ITEM_VALUE.encode() not in pickle.dumps(err)
    assert given_decision.authorizations[0].member


def test_a_refusal_of_a_stream_pickles() -> None:
    """`Body=open(...)` of an upload cannot be pickled; the refusal can."""
    err = PolicyDenied("no", operation="PutObject", decision=a_decision(io.BytesIO(b"stream")))

    assert pickle.loads(pickle.dumps(err)).decision == err.decision


# --- pickles and copies ------------------------------------------------------------------------


@pytest.mark.parametrize("err", all_errors(), ids=lambda err: type(err).__name__)
@pytest.mark.parametrize(
    "through",
    [lambda err: pickle.loads(pickle.dumps(err)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_an_error_survives_a_pickle_and_a_copy(
    err: DynaguardError, through: Callable[[DynaguardError], DynaguardError]
) -> None:
    """Type, message, attributes and notes: worker pools send errors home that way."""
    err.add_note("while loading orders")

    twin = through(err)

    assert type(twin) is type(err)
    assert str(twin) == str(err)
    assert twin.__notes__ == err.__notes__
    names = ("problems", "feature", "extra", "response", "operation_name", "decision", "identity")
    for name in (*names, "service", "operation", "reason"):
        assert getattr(twin, name, None) == getattr(err, name, None)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_keeps_an_error_without_notes(protocol: int) -> None:
    """Old brokers use old protocols."""
    twin = pickle.loads(pickle.dumps(a_denial(), protocol))

    assert twin.identity == "etl"
    assert not hasattr(twin, "__notes__")


# --- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem(
                "unknown effect `Alow`, did you mean `Allow`?", "statement[2].Effect", "p", 12
            ),
            "p:12: statement[2].Effect: unknown effect `Alow`, did you mean `Allow`?",
        ),
        (Problem("empty"), "<policy>: empty"),
        (Problem("empty", source="p.toml", line=1), "p.toml:1: empty"),
        (Problem("missing", "version"), "<policy>: version: missing"),
    ],
)
def test_a_problem_names_its_place(problem: Problem, text: str) -> None:
    """File, line where known, path where there is one."""
    assert str(problem) == text


def test_a_syntax_error_shows_every_problem_on_a_line() -> None:
    """Also when the problems come from a generator."""
    err = PolicySyntaxError(Problem(str(n), line=n) for n in (1, 2))

    assert [problem.line for problem in err.problems] == [1, 2]
    assert str(err) == "<policy>:1: 1\n<policy>:2: 2"


def test_a_missing_extra_names_the_command() -> None:
    """What to type."""
    err = MissingExtraError("a YAML policy", "yaml")

    assert str(err) == "a YAML policy needs an extra, run `pip install 'dynaguard[yaml]'`"


@pytest.mark.parametrize(
    ("word", "guess"),
    [("Alow", "Allow"), ("ALLOW", "Allow"), ("dny", "Deny"), ("permit", None), ("", None)],
)
def test_nearest_finds_what_was_meant(word: str, guess: str | None) -> None:
    """Case does not count; what resembles nothing gets no guess."""
    assert nearest(word, ["Allow", "Deny"]) == guess


@given(st.text(), st.lists(st.text(), max_size=5))
def test_nearest_gives_a_choice_or_nothing(word: str, choices: list[str]) -> None:
    """Never a word that is not valid."""
    assert nearest(word, choices) in {None, *choices}


ARN_PIECES = st.lists(st.sampled_from([UNKNOWN_CHAR, UNKNOWN_RUN, "a", ":", UNKNOWN_ACCOUNT]))


@given(ARN_PIECES.map("".join))
def test_a_readable_arn_shows_no_marks(arn: str) -> None:
    """Each unknown part is shown once, the rest is as it was."""
    shown = readable_arn(arn)

    assert UNKNOWN_CHAR not in shown
    assert UNKNOWN_RUN not in shown
    assert "<unknown><unknown>" not in shown
    assert shown.replace("<unknown>", "") == arn.replace(UNKNOWN_CHAR, "").replace(UNKNOWN_RUN, "")
