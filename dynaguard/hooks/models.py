"""What the installed botocore knows of services, operations and parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import botocore
from botocore import xform_name
from botocore.session import get_session
from botocore.validate import ParamValidator

from dynaguard.errors import ConfigurationError, nearest


def known_operation(service: str, operation: str) -> str:
    """The operation of botocore's model that is meant.

    Args:
        service: botocore's service name.
        operation: `GetItem`, or the client's method, `get_item`.

    Raises:
        ConfigurationError: There is none of that name; names the nearest.

    Effects: reads botocore's model of the service.
    """
    session = get_session()
    services = session.get_available_services()
    if service not in services:
        raise ConfigurationError(_unknown("service", service, services))
    names = session.get_service_model(service).operation_names
    found = {xform_name(name): name for name in names} | {name: name for name in names}
    if operation not in found:
        raise ConfigurationError(_unknown(f"operation of {service}", operation, names))
    return found[operation]


def parameter_faults(service: str, operation: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """What botocore would refuse about some parameters, one clause each; names only, no values.

    Args:
        service: botocore's service name.
        operation: As `known_operation` gives it.
        params: The parameters of the low-level client; binary values may be text.
    """
    model = get_session().get_service_model(service).operation_model(operation)
    if model.input_shape is None:
        return tuple(f"`{name}` is no parameter" for name in params)
    report = ParamValidator().validate(dict(params), model.input_shape)
    faults = []
    for reason, name, details in report._errors:
        if reason == "missing required field":
            faults.append(f"`{_joined(name, details['required_name'])}` is missing")
        elif reason == "unknown field":
            known = [str(each) for each in details["valid_names"]]
            unknown = str(details["unknown_param"])
            faults.append(f"`{_joined(name, unknown)}` is no parameter{_near(unknown, known)}")
        elif reason == "invalid type" and not name.endswith(".B"):
            faults.append(f"`{name.lstrip('.')}` is of another type than expected")
    return tuple(faults)


def _joined(name: str, part: object) -> str:
    """A path of names."""
    return f"{name}.{part}".lstrip(".")


def _unknown(what: str, name: str, choices: Iterable[str]) -> str:
    """The message about a name that botocore does not know."""
    return f"unknown {what} `{name}`{_near(name, choices)} (botocore {botocore.__version__})"


def _near(name: str, choices: Iterable[str]) -> str:
    """The nearest name, as a question."""
    guess = nearest(name, choices)
    return f", did you mean `{guess}`?" if guess else ""
