"""Retry budgets: how long a call waits before its first try, and whether it may be repeated."""
