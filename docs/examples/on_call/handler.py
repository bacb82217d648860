"""AWS Lambda: a CloudWatch alarm gives the engineer on call a session for its runbook.

EventBridge hands the alarm's state change here. The function looks up who is on call, begins the
task of the alarm's runbook, and puts its credentials where that engineer alone can read them: a
SecureString parameter of Systems Manager. The message that it sends holds the link to the runbook
and how to take the session, never the session.

Environment: ROLE_ARN, the role that the runbook runs under; TOPIC_ARN, where messages go;
KMS_KEY_ID, the key of the parameters, optional. Its own role needs `sts:AssumeRole` on that role,
`ssm:GetParameter` on `/on-call/rota`, `ssm:PutParameter` on `/on-call/sessions/*` and
`sns:Publish` on the topic. An engineer needs `ssm:GetParameter` on `/on-call/sessions/NAME/*`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

import dynaguard

RUNBOOKS = Path(__file__).parent / "runbooks"
RUNBOOK_BY_ALARM = {"orders-throttled": "throttled-orders.toml"}
ROTA = "/on-call/rota"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, str]:
    """What Lambda calls.

    Args:
        event: EventBridge's event `CloudWatch Alarm State Change`.
        _context: Lambda's context; not read.

    Returns:
        **Shape**: `outcome` and, where a session was provided, `task` and `engineer`; no secret.

    Raises:
        dynaguard.SessionError: The role cannot be assumed. Lambda then tries the event again.
    """
    detail = event.get("detail", {})
    runbook = RUNBOOK_BY_ALARM.get(detail.get("alarmName"))
    if detail.get("state", {}).get("value") != "ALARM" or runbook is None:
        return {"outcome": "nothing to do"}
    dynaguard.install()
    incident = f"alarm-{event['id']}"
    with dynaguard.correlation(incident):
        return _provide(RUNBOOKS / runbook, incident, detail["alarmName"])


def _provide(runbook: Path, incident: str, alarm: str) -> dict[str, str]:
    """Has a session for who is on call, and tells them."""
    engineer = _on_call()
    name = f"/on-call/sessions/{engineer}/{incident}"
    manager = dynaguard.task(
        runbook, incident=incident, role=os.environ["ROLE_ARN"], source_identity=engineer
    )
    with manager as task:
        credentials = task.credentials()
    # What follows is no step of the runbook, so it is not within the task. Its session goes on at
    # AWS, held to the runbook's calls, until its time is up.
    if not _put(name, json.dumps(credentials.as_process_output())):
        return {"outcome": "provided before", "engineer": engineer}
    _tell(engineer, message(alarm, engineer, name, task))
    return {"outcome": "provided", "engineer": engineer, "task": task.id}


def message(alarm: str, engineer: str, name: str, task: dynaguard.Task) -> str:
    """What the engineer reads: the runbook, and how to take the session."""
    profile = f"{task.name}-{task.correlation_id}"
    take = f"aws ssm get-parameter --name {name} --with-decryption --output text"
    return (
        f"{engineer}: alarm {alarm} ({task.correlation_id}).\n"
        f"Runbook: {task.link}\n"
        f"A session for it, and for nothing else, is yours until "
        f"{task.expires_at:%Y-%m-%dT%H:%M:%SZ}; CloudTrail names it {task.session_name}.\n"
        "To take it, put this into ~/.aws/config and use the profile:\n"
        f"[profile {profile}]\n"
        f"credential_process = {take} --query Parameter.Value\n"
    )


def _on_call() -> str:
    """Who is on call: the parameter holds a name. Refuses what is no plain name."""
    answer = boto3.client("ssm").get_parameter(Name=ROTA)
    name = str(answer["Parameter"]["Value"]).strip()
    if not _NAME.fullmatch(name):
        raise ValueError(f"`{ROTA}` holds no name of an engineer")
    return name


def _put(name: str, value: str) -> bool:
    """Stores the session for its engineer; False where that was done before."""
    key = {"KeyId": os.environ["KMS_KEY_ID"]} if os.environ.get("KMS_KEY_ID") else {}
    try:
        boto3.client("ssm").put_parameter(
            Name=name, Value=value, Type="SecureString", Overwrite=False, **key
        )
    except ClientError as err:
        if err.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise
        return False
    return True


def _tell(engineer: str, text: str) -> None:
    """Sends the message."""
    boto3.client("sns").publish(
        TopicArn=os.environ["TOPIC_ARN"],
        Subject="A session for you",
        Message=text,
        MessageAttributes={"engineer": {"DataType": "String", "StringValue": engineer}},
    )
