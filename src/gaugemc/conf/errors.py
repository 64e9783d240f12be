"""Hydra's and OmegaConf's errors in one line: the key, the value, the choices."""

import dataclasses
import re

from gaugemc.conf.groups import Command


def one_line(error: Exception) -> str:
    """What is wrong with the command line, in one line."""
    text = str(error)
    if found := re.search(r"Could not find '([^']+)/([^']+)'", text):
        group, value = found.groups()
        choices = re.findall(r"^\t(\S+)$", text, re.MULTILINE)
        return f"{group}={value}: choose one of {', '.join(choices)}"
    if found := re.search(r"Could not override '([^']+)'|Key '([^']+)' not in", text):
        key = found.group(1) or found.group(2)
        return f"{key}: no such key; {valid_keys(key)}"
    if found := re.search(r"Error merging override (.+)", text):
        cause = str(error.__cause__).splitlines()[0] if error.__cause__ else "not a valid value"
        return f"{found.group(1).splitlines()[0]}: {cause}"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def valid_keys(key: str) -> str:
    """The keys beside a key that does not exist."""
    settings: type = Command
    path = []
    for part in key.split(".")[:-1]:
        types = {f.name: f.type for f in dataclasses.fields(settings)}
        if not dataclasses.is_dataclass(types.get(part)):
            break
        settings = types[part]  # pyright: ignore[reportAssignmentType]
        path.append(part)
    names = [f.name for f in dataclasses.fields(settings) if f.name not in ("defaults", "hydra")]
    return f"choose one of {', '.join('.'.join([*path, name]) for name in names)}"
