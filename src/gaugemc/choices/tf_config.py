"""TF_CONFIG, in which TensorFlow is told what processes work together."""

import json
from collections.abc import Sequence

_JOBS = ("chief", "worker")
"""In the order in which TensorFlow numbers their processes."""


def place_in(config: str) -> tuple[int, int]:
    """The number of this process in a cluster of chief and workers, and how many there are.

    Raises:
        ValueError: in words that begin with TF_CONFIG.
    """
    addresses, number = cluster_in(config)
    return number, len(addresses)


def cluster_in(config: str) -> tuple[list[str], int]:
    """HOST:PORT of each process, in their order, and the number of this one.

    Raises:
        ValueError: in words that begin with TF_CONFIG.
    """
    try:
        read = json.loads(config)
    except json.JSONDecodeError as error:
        raise ValueError(f"TF_CONFIG is not JSON: {error}") from error
    match read:
        case {"cluster": {**cluster}, "task": {"type": str(job), "index": int(index)}}:
            pass
        case _:
            raise ValueError('TF_CONFIG has no "cluster", or no "task" with its "type" and "index"')
    for other in cluster.keys() - {*_JOBS}:
        raise ValueError(f"TF_CONFIG has the job {other}: give workers, and at most a chief")
    processes = {(of, n): at for of in _JOBS for n, at in enumerate(cluster.get(of, []))}
    if (job, index) not in processes:
        raise ValueError(f"TF_CONFIG says that this is {job} {index}, and names no such process")
    return list(processes.values()), list(processes).index((job, index))


def config(addresses: Sequence[str], number: int) -> str:
    """TF_CONFIG of one of several workers, whose addresses are HOST:PORT, in their order."""
    task = {"type": "worker", "index": number}
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": task})
