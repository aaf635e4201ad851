"""Sweeps on clusters: a Dask scheduler, or an array of SLURM jobs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from .execute import Pool


class NoClusterError(Exception):
    """A cluster cannot be used; the message says why."""


@contextmanager
def dask(address: str, patience: float = 10.0) -> Iterator[tuple[Pool, int]]:
    """Yield what makes executors of a Dask cluster, and how many threads it has.

    Args:
        address: of its scheduler, such as "tcp://10.0.0.1:8786".
        patience: to wait for its answer, s.

    Raises:
        NoClusterError: dask is not installed, or nobody answers.
    """
    try:
        import distributed
    except ImportError:
        raise NoClusterError(
            "dask is not installed; `pip install 'walras[cluster]'` brings it"
        ) from None
    try:
        comm: Any = distributed.comm
        comm.get_address_host_port(
            address
        )  # a client of what is no address complains long after, by a traceback
        made: Any = distributed.Client
        client = made(address, timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:
        raise NoClusterError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        width = int(sum(client.nthreads().values()))
        if not width:
            raise NoClusterError(f"the Dask scheduler at {address} has no workers")

        @contextmanager
        def pool() -> Iterator[Executor]:
            yield client.get_executor(pure=False)

        yield pool, width


def slurm(command: str, shards: int, name: str) -> str:
    """Return a batch script that does a sweep in so many jobs.

    Example:
        >>> print(slurm("walras sweep my.toml", 8, "my").splitlines()[2])
        #SBATCH --array=1-8
    """
    return f"""#!/bin/sh
#SBATCH --job-name={shlex.quote(name)}
#SBATCH --array=1-{shards}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=24:00:00
#SBATCH --mem-per-cpu=4G
#SBATCH --requeue
# One job a shard. The same script again does what is left: finished runs are kept.
exec {command} --jobs "$SLURM_CPUS_PER_TASK" --shard "$SLURM_ARRAY_TASK_ID/{shards}" --quiet
"""
