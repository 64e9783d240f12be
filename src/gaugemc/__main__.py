"""`python -m gaugemc` is the command `gaugemc`."""

from gaugemc.cli import main

if __name__ == "__main__":
    main()
