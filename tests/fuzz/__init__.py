"""Requests that nobody would send on purpose: no 5xx, no stack trace, no hang. `python -m tests.fuzz -h`."""
