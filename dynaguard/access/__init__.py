"""Access just in time: grants, approvals, boundaries of tasks, and where they are kept."""
