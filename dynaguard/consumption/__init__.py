"""What calls cost and which keys they go to: units, ledgers, sketches, warnings, limits.

Everything here is pure and bounded: values in, values out, one lock per object, clock and secret
passed in. It knows neither botocore nor OpenTelemetry, and asks nothing of AWS.

INVARIANT: no key value is kept. What comes in is hashed under a secret and forgotten.
"""
