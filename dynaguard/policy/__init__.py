"""Policy documents: loading, checking, compiling, matching. Knows nothing of botocore or requests."""
