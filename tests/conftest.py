"""For all tests: Ctrl-C means the same to the programs that tests start, whoever started the tests.

A shell starts what it runs in the background with SIGINT ignored, and that is inherited through every exec.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
