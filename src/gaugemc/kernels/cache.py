"""Where compiled code is kept for the next start."""

import os
from pathlib import Path


def cache_directory() -> Path | None:
    """The user's cache of this package; None where the user has no place that can be written."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        path = (base if base.is_absolute() else Path.home() / ".cache") / "gaugemc"
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a read-only disk; a user without a home
        return None
    return path if os.access(path, os.W_OK | os.X_OK) else None
