"""Policy documents: loaded, checked, compiled, matched. Knows nothing of botocore or requests."""
