"""Alarms and dashboards for what dynaguard guards, generated as files for other tools.

An outer part: only the command line imports it. It goes one way: policies, audit records and
names become `subjects` (who calls which tables), these and the options a frozen `AlarmPlan`, the
plan `Alarm` and `MetricFilter` values, and those the text of one format. All of it is pure: the
same input gives the same bytes, nothing is read and nothing is sent.
"""
