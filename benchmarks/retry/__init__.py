"""Loopback retry benchmark: what a batch job's retries cost the job, the table and the others.

`python -m benchmarks.retry` runs it, README.md says what it measures.
"""
