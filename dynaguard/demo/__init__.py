"""The demo: an embedded endpoint, a throttling proxy before it, and a job under a policy."""
