"""How a call's scope comes from outside, and goes on to threads, tasks and other processes.

`traces` finds the trace that a call belongs to, `invocations` reads AWS Lambda's context object,
`carrying` takes the scope of the running code elsewhere. What CI systems and AWS Batch tell by
their variables is read with the settings (`settings/surroundings.py`), once, by `install()`.
"""
