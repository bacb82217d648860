"""Runbooks: documents that execute, are enforced while they run, and compile to IAM."""
