"""The program: `gaugemc`, and `python -m gaugemc`."""

import sys
from typing import NoReturn

from gaugemc import interrupt


def main() -> NoReturn:
    """Heed Ctrl-C from the first moment, and answer at once what needs no JAX; then do the rest."""
    interrupt.install()
    with interrupt.at_once():
        from gaugemc.conf.front import answer

        code = answer(sys.argv[1:])
        if code is not None:
            sys.exit(code)
        from gaugemc.cli import main as command

        command()


if __name__ == "__main__":
    main()
