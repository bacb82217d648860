"""Counts a customer's open orders, with no access but that of the session around it."""

from __future__ import annotations

import boto3


def main() -> None:
    """Prints one line."""
    answer = boto3.client("dynamodb").query(
        TableName="orders",
        KeyConditionExpression="customer_id = :customer",
        FilterExpression="#status = :open",
        ProjectionExpression="customer_id, order_id",
        Limit=100,
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":customer": {"S": "C-00001"}, ":open": {"S": "open"}},
    )
    print(f"open orders: {answer['Count']}")


if __name__ == "__main__":
    main()
