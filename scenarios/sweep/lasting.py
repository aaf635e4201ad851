"""One pool for several sweeps: starting workers takes seconds, a small sweep takes less."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from .execute import Pool


@contextmanager
def lasting(pool: Pool) -> Iterator[Pool]:
    """Yield what gives out one executor again and again, and another once a worker has died.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with lasting(lambda: ThreadPoolExecutor(1)) as same:
        ...     with same() as one, same() as two:
        ...         one is two
        True
    """
    with ExitStack() as ended:
        held: list[Executor] = []

        def give() -> AbstractContextManager[Executor]:
            if held and _broken(held[0]):
                held.clear()
                ended.close()
            if not held:
                held.append(ended.enter_context(pool()))
            return nullcontext(held[0])

        yield give


def _broken(executor: Executor) -> bool:
    """Return whether a pool has lost a worker: it takes no more jobs then."""
    try:
        executor.submit(int)
    except BrokenExecutor:
        return True
    return False
