"""The program: `gaugemc`, and `python -m gaugemc`."""

from typing import NoReturn

from gaugemc import interrupt


def main() -> NoReturn:
    """Heed Ctrl-C from the first moment, then import JAX and all the rest, which takes seconds."""
    interrupt.install()
    from gaugemc.cli import main as command

    command()


if __name__ == "__main__":
    main()
