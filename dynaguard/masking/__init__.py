"""Masks: which attribute values of an answer a caller does not see, and what it sees instead.

A `[[mask]]` statement names attributes of tables. `Masks` compiles all of them once; `plan_for`
gives the plan of one call; `MaskPlan.apply` rewrites botocore's parsed answer in place, before the
caller or a resource's deserialiser sees it, success and error answers alike.

What a value becomes (design section 6):

| in the answer | masked |
|---|---|
| `S`, `N`, `B`, `BOOL` | `{"S": token}`, never an invented number |
| `SS` | `{"SS": [token, ...]}`, each token once |
| `NS`, `BS` | `{"SS": [token]}` |
| `M`, `L` | the same shape, every leaf masked |
| `NULL` | unchanged: it holds nothing |
| a shape that is not understood | `{"S": token}`: withheld |

Every token begins with `MARKER`, by which `find_marker` knows a masked value that is about to be
written back into a table.

| strategy | token | shows |
|---|---|---|
| `redact` | `masked!dg1:redacted` | that there is a value |
| `hash` | `masked!dg1:hmac:` and 32 hexadecimal digits | **equality** of values |
| `partial` | `masked!dg1:***` and the end of the value | that end |

The same value has the same `hash` token under the same key: values can be joined and counted, and
confirmed by whoever can have chosen values masked. `partial` shows at most `keep` trailing
characters and never more than half of the value; of an e-mail address it shows the whole domain.
Binary values and booleans have no partial form, and a hash of a boolean would tell its value: they
are redacted there (binary values are hashed). Several masks on one path: the strictest decides
(`redact`, then `hash`, then `partial`).

List positions: DynamoDB renumbers the lists of projections, so where a request projects (or it is
not known whether it does) `cards[0].number` masks the number of every card. Rows of PartiQL name
nested attributes by the end of their path, so `profile.ssn` masks a column `ssn` there too.

Limits: what goes back to AWS is never masked (`LastEvaluatedKey`, `UnprocessedKeys`,
`UnprocessedItems`), so a masked *key* attribute can still be read there. JSON inside a string and
anything inside binary is not looked into: mask the whole attribute. A PartiQL statement that
selects a single list element (`SELECT cards[0]`) or computes a column names it in a way that no
path foresees: deny PartiQL on such tables, or mask from the top. Masked attributes can be probed
by filters, conditions and counts unless the policy denies that.

Imports nothing of botocore and knows its parsed answers only as nested dicts and lists.
"""

from dynaguard.masking.marker import MARKER, find_marker
from dynaguard.masking.masks import MaskPlan, Masks

__all__ = ["MARKER", "MaskPlan", "Masks", "find_marker"]
