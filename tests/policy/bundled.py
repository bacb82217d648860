"""Documents for tests of bundles, and the way there and back."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dynaguard.policy.bundle_reading import load_bundle
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.model import PolicyDocument

ROOT: Final = Path(__file__).parent.parent.parent
EVERYTHING: Final = """\
version = 1
revision = 7
default = "deny"
govern = ["dynamodb", "ssm"]
policies = ["iam/*.json", "pack:required-region", "pack:no-scans"]

[variables]
stage = { env = "STAGE", default = "dev" }
environment = "staging"

[groups]
etl = ["arn:aws:iam::*:role/etl-*", "oidc:repository=acme/orders"]
leads = ["arn:aws:iam::*:role/lead-*"]

[owners]
data = ["arn:aws:iam::111122223333:role/etl-*"]

[tables.orders]
key = ["customer_id", "order_id"]
indexes.by_status = ["status", "created_at"]

[[statement]]
Sid = "Reads"
Effect = "Allow"
Principal = { Group = "etl", AWS = ["111122223333", "arn:aws:iam::*:role/x"] }
Action = ["dynamodb:Query", "dynamodb:GetItem"]
Resource = "arn:aws:dynamodb:*:*:table/${stage}-orders-${aws:PrincipalTag/team, 'none'}"
[statement.Condition]
"ForAllValues:StringLikeIfExists" = { "dynamodb:Attributes" = ["a", "b*"] }
NumericLessThanEquals = { "dynaguard:Limit" = 100, "dynaguard:ItemCount" = 1.5 }
Bool = { "aws:SecureTransport" = true }

[[statement]]
Effect = "Deny"
NotPrincipal = { Group = "leads" }
NotAction = "dynamodb:*"
NotResource = ["arn:aws:ssm:*:*:parameter/open/*"]
Mode = "observe"

[[statement]]
Sid = "Asks é"
Effect = "RequireApproval"
Action = "dynamodb:DeleteTable"
Resource = "*"
Approval = { quorum = 2, any_of = ["leads"], all_of = ["etl"], uses = "any", timeout = "2h", \
threshold = { window = "1h", calls = 3, read_units = 10.5 } }

[[mask]]
tables = ["*-customers"]
attributes = ["email", "cards[*].number", "**.ssn", "list[0]", "x*"]
with = "partial"
keep = 3
unless = { Group = "leads" }

[[budget]]
job = "nightly-*"
tables = ["*-orders"]
priority = "batch"
retry_ratio = 0.1
max_attempts = 5

[[capacity_limit]]
job = "nightly-*"
read_units = 1000

[runbooks.refund]
sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
may_run = { Group = "leads" }
approval = { any_of = ["leads"] }

[access_requests]
any_of = ["leads"]

[context]
"aws:PrincipalTag/team" = "data"

[settings]
audit = "audit.jsonl"
cursor_max_age_s = 60

[lint]
ignore = ["DG204"]
"""
IAM: Final = """\
{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "ssm:GetParameter",
 "Resource": "arn:aws:ssm:*:*:parameter/plain-${aws:username}",
 "Condition": {"StringEquals": {"dynamodb:Attributes": "a", "aws:RequestedRegion": "eu-west-1"}}}}
"""
_BLOCK: Final = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def write_everything(folder: Path) -> Path:
    """A document with every section, in a folder."""
    (folder / "iam").mkdir()
    (folder / "iam" / "plain.json").write_text(IAM)
    path = folder / "policy.toml"
    path.write_text(EVERYTHING, encoding="utf-8")
    return path


def bundled(document: PolicyDocument, folder: Path, **options: Any) -> PolicyDocument:
    """The document after it was a bundle."""
    path = folder / "policy.dgb"
    path.write_bytes(bundle_bytes(document))
    return load_bundle(path, environ={}, **options)


def documents_in_docs() -> Iterator[tuple[str, str]]:
    """Every whole policy of the documentation, with its place."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for at, block in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8"))):
            if "default = " in block and "version = 1" in block:
                yield f"{page.name}-{at}", textwrap.dedent(block)
