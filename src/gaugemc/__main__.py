"""The program: `gaugemc`, and `python -m gaugemc`."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Answer what needs no work at once, before JAX and all the rest are imported."""
    from gaugemc.conf.front import answer

    code = answer(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    from gaugemc.cli import main as command

    command()


if __name__ == "__main__":
    main()
