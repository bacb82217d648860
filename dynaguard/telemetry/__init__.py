"""What a call leaves in OpenTelemetry: one span and the metrics. Speaks to its API only."""
