"""The program: `gaugemc`, and `python -m gaugemc`."""

import signal
import sys
from typing import NoReturn

from gaugemc import interrupt
from gaugemc.choices.frameworks import rank


def main() -> NoReturn:
    """Heed Ctrl-C from the first moment, and answer at once what needs no JAX; then do the rest."""
    if rank() == 0:
        interrupt.install()
    else:  # process 0 says what there is to say
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with interrupt.at_once():
        from gaugemc.conf.front import answer

        code = answer(sys.argv[1:])
        if code is not None:
            sys.exit(code)
        from gaugemc.cli import main as command

        command()


if __name__ == "__main__":
    main()
