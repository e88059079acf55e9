"""Become the given program, leaving a guard behind: the program runs only while the starter of this script lives.

``python guard.py PROGRAM ARG...`` with a pipe as standard input whose other end only the starter holds. The script
keeps its process id when it turns into the program; the guard, its child, kills the program iff the pipe closes. Other
than PR_SET_PDEATHSIG this does not tie the program to the thread that happened to start it.
"""

import os
import select
import signal
import sys


def main() -> None:
    program = os.pidfd_open(os.getpid())
    if os.fork() == 0:
        select.select([sys.stdin, program], [], [])
        try:
            signal.pidfd_send_signal(program, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
