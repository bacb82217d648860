"""What a call leaves in the audit file: one record per call, names and counts only."""
