"""Limits of CloudWatch, CloudWatch Logs and CloudFormation that generated files keep.

Source: CloudWatch API reference, PutMetricAlarm and PutDashboard; CloudWatch Logs API reference,
PutMetricFilter; CloudFormation user guide, quotas.
"""

from __future__ import annotations

from typing import Final

MAX_ALARM_NAME: Final = 255
"""Characters."""
MAX_DESCRIPTION: Final = 1024
"""Characters of an alarm's description."""
MAX_SUBJECT: Final = 256
"""Characters of an identity's or table's name. Ours: CloudWatch takes 1024 in a dimension, but a
description must name both in full."""
MAX_NAMESPACE: Final = 255
MAX_FILTER_PATTERN: Final = 1024
MAX_FILTERS_PER_LOG_GROUP: Final = 100
MAX_LOG_GROUP_NAME: Final = 512
MAX_RESOURCES: Final = 500
"""Resources of one CloudFormation template."""
MAX_TEMPLATE_BYTES: Final = 1_000_000
"""A template that is uploaded to S3 first."""
MAX_INLINE_TEMPLATE_BYTES: Final = 51_200
"""A template that is sent with the request."""
MAX_WIDGETS: Final = 500
"""Widgets of one CloudWatch dashboard."""
MAX_WIDGET_METRICS: Final = 500
MAX_DASHBOARD_METRICS: Final = 2500
MIN_PERIOD_S: Final = 60
"""Metric filters and DynamoDB's own metrics have one data point a minute."""
MAX_PERIODS_S: Final = 86_400
"""Evaluation periods together, of periods below an hour."""
MAX_LONG_PERIODS_S: Final = 604_800
"""Evaluation periods together, of periods from an hour."""
LONG_PERIOD_S: Final = 3600
MAX_RUNBOOK_URL: Final = 400
"""Ours: leaves room in a description for two names and a log group."""
