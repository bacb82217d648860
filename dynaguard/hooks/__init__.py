"""The only room that knows botocore's internals: where to hook, what its dicts look like.

Translates botocore's calls into our values, asks `Guard`, and acts on the answer. Enforcement
hangs on wrapped methods; events carry what may be lost without harm (stamps, observation) and
back the wrappers up.
"""
