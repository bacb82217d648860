"""Drills: known failure modes, injected on purpose, each with its runbook and its expectation.

A drill runs against an embedded DynamoDB of its own. Its fault stands where a request would go
out to the network (botocore's `before-send`), so that everything of dynaguard runs: decision,
pacing, retries, masks, journal, records.

| module | knows |
|---|---|
| `faults.py` | what goes wrong, and how it is put in the way of a request |
| `catalogue.py` | which failure modes there are |
| `running.py` | how one is run and judged |

Source: requirement lines S1.18, S3.30.
"""
