"""From a call to the authorisations that it needs: IAM actions on resources.

Never raises: a part of a request that is not understood becomes an `Authorization` with a
`problem`, which no Allow satisfies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final

from dynaguard.aws.arns import Place, place_of
from dynaguard.aws.dynamodb.operations import READER_BY_OPERATION, Reader
from dynaguard.aws.prefixes import PREFIX_BY_SERVICE
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

ServiceReader = Callable[[Call, Place], Iterable[Authorization]]

_DYNAMODB: Final = frozenset({"dynamodb", "dynamodbstreams"})
_MODULE_BY_SERVICE: Final = {
    "s3": "dynaguard.aws.s3",
    "ssm": "dynaguard.aws.ssm",
    "secretsmanager": "dynaguard.aws.secretsmanager",
    "sts": "dynaguard.aws.sts",
    "kms": "dynaguard.aws.kms",
    "sqs": "dynaguard.aws.sqs",
    "sns": "dynaguard.aws.sns",
    "lambda": "dynaguard.aws.functions",
}
_TABLE_MODULE: Final = "dynaguard.aws.table"
"""What every other service is read by, from generated tables."""
_reader_by_service: dict[str, ServiceReader] = {}
_FREE: Final = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})
"""Operations for which IAM asks no permission."""

_READ_VERBS: Final = (
    "Get",
    "List",
    "Describe",
    "Head",
    "Filter",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Select",
    "BatchGet",
    "TransactGet",
)
_PARTIQL_READS: Final = frozenset({"PartiQLSelect"})


def authorizations(call: Call, account_id: str | None) -> tuple[Authorization, ...]:
    """What a call needs, in request order.

    Args:
        call: The call; parameters of any shape.
        account_id: The account that it goes to, twelve digits, or None when not known.

    Returns:
        One authorisation per IAM action and resource; empty where IAM asks for none. Operations
        that no module and no table knows need the action of their own name on a resource that is
        not known, so that only statements on every resource allow them.

    Cost: for a single-item DynamoDB call one look-up and three small objects.
    """
    params: object = call.params
    if type(params) is not dict and not isinstance(params, Mapping):
        return (_not_understood(call, "no mapping"),)
    reader: Reader | ServiceReader | None
    if call.service in _DYNAMODB:
        reader = READER_BY_OPERATION.get(call.operation, _unknown_operation)
    else:
        reader = _reader_by_service.get(call.service) or _service_reader(call.service)
    try:
        needs = tuple(reader(call, place_of(call, account_id)))
    except Exception as err:  # noqa: BLE001 - parameters run code of their own; any failure denies
        return (_not_understood(call, type(err).__name__),)
    if needs or (call.service, call.operation) in _FREE:
        return needs
    # A call that needs nothing would be allowed; a list of nothing is not a request of nothing.
    return (_not_understood(call, "nothing is named"),)


def service_prefix(service: str) -> str:
    """IAM's prefix of a botocore service: `dynamodb` for `dynamodbstreams`, `states` ..."""
    return PREFIX_BY_SERVICE.get(service, service)


def is_write(service: str, operation: str, params: Any) -> bool:
    """Whether a call changes something; exact for DynamoDB, by the operation's verb elsewhere.

    A PartiQL call is a read only if all its statements are.
    """
    if service == "dynamodb" and operation in _PARTIQL_OPERATIONS:
        return not _reads_only(params)
    return not operation.startswith(_READ_VERBS)


def tables_of(needs: tuple[Authorization, ...]) -> tuple[str, ...]:
    """Distinct table names in order."""
    if len(needs) == 1:
        table = needs[0].table_name
        return () if table is None else (table,)
    return tuple(dict.fromkeys(need.table_name for need in needs if need.table_name is not None))


_PARTIQL_OPERATIONS: Final = frozenset(
    {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
)


def _reads_only(params: Any) -> bool:
    """Whether every statement of a PartiQL call is understood as a read."""
    if not isinstance(params, Mapping):
        return False
    members = params.get("Statements") or params.get("TransactStatements") or [params]
    if not isinstance(members, list | tuple):
        return False
    from dynaguard.aws.dynamodb.partiql.statements import read_statement  # its parser

    for member in members:
        text = member.get("Statement") if isinstance(member, Mapping) else None
        statement = read_statement(text) if isinstance(text, str) else None
        if statement is None or statement.action not in _PARTIQL_READS:
            return False
    return True


def _service_reader(service: str) -> ServiceReader:
    """The reader of a service; its module is imported at the first call of the service."""
    reader = _reader_by_service.get(service)
    if reader is None:
        module = _MODULE_BY_SERVICE.get(service, _TABLE_MODULE)
        reader = import_module(module).authorizations
        _reader_by_service[service] = reader
    return reader


def _unknown_operation(call: Call, _place: Place) -> tuple[Authorization]:
    """An operation that this version does not know: it fails closed."""
    return (
        Authorization(
            f"{call.service_prefix}:{call.operation}",
            UNKNOWN_RUN,
            call.params,
            problem=f"operation `{call.operation}` is not known to this version of dynaguard",
        ),
    )


def _not_understood(call: Call, kind: str) -> Authorization:
    """Parameters of a shape that the service's reader does not take."""
    params: object = call.params
    return Authorization(
        f"{call.service_prefix}:{call.operation}",
        UNKNOWN_RUN,
        params if isinstance(params, Mapping) else {},
        problem=f"the parameters of `{call.operation}` are not understood ({kind})",
    )
