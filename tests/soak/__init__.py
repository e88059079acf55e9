"""A soak: informers, writers and faults for minutes, on the embedded and on the real API server.

`make soak MINUTES=10` runs it; `python -m soak` with `tests` on the path does the same.
"""
