"""For all tests: how much hypothesis tries, and Ctrl-C means the same to the programs that tests start.

Whoever started the tests: a shell starts what it runs in the background with SIGINT ignored, and that is inherited
through every exec.
"""

from __future__ import annotations

import signal

from hypothesis import settings

pytest_plugins = ["apiserver.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("long", settings.get_profile("ci"), max_examples=2000)
settings.load_profile("ci")
