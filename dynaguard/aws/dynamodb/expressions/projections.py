"""Projection expressions: which attributes they ask for."""

from __future__ import annotations

from functools import lru_cache

from dynaguard.aws.dynamodb.expressions.paths import Path, read_path
from dynaguard.aws.dynamodb.expressions.tokens import ExpressionCursor, ExpressionError


@lru_cache(maxsize=1024)
def parse_projection(text: str) -> tuple[Path, ...]:
    """Reads a ProjectionExpression: document paths with commas between.

    Raises:
        ExpressionError: It is not understood.

    Cost: linear in the text; remembered by text, bounded.

    Source: Amazon DynamoDB Developer Guide, Using projection expressions in DynamoDB.
    """
    cursor = ExpressionCursor(text)
    paths = cursor.several(lambda: read_path(cursor))
    if not cursor.is_at_end:
        raise ExpressionError
    return tuple(paths)
