"""A seller at work: slots, queues, shared speed, outages; one SimPy process."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from heapq import heapify, heappop, heappush

import simpy

from walras.market.schema.supply import Seller

from .calendar import COMPLETION, RENEGE, Calendar
from .task import Task

Process = Generator[simpy.Event, object, None]
LEVELS = 8


class Station:
    """Serves tasks. Time runs in work done per stream, so that one alarm serves all tasks.

    A task that starts when `done` tokens have been done per stream, with w left, is finished when
    `done` has grown by w, at whatever rate. `alarm` is the event at which the next one finishes.
    """

    def __init__(
        self, calendar: Calendar, seller: Seller, changed: Callable[[], None],
        ended: Callable[[Task, str], None],
    ) -> None:  # fmt: skip
        """Open; `changed` is called when the queue has changed, `ended` when a task has ended."""
        self.calendar, self.changed, self.ended = calendar, changed, ended
        self.slots, self.speed, self.kappa = seller.slots, seller.speed, seller.kappa
        self.by_level = seller.discipline != "fcfs"
        self.preemptive = seller.discipline == "priority_preemptive"
        self.listed, self.down, self.opened = seller.enters == 0, 0, 0.0
        self.running: list[tuple[float, int, Task]] = []  # a heap: the next to finish comes first
        self.queues: list[deque[Task]] = [deque() for _ in range(LEVELS)]
        self.waiting = [0] * LEVELS  # tasks waiting at each level; queues keep those that left
        self.in_service = [0] * LEVELS
        self.serving: dict[int, int] = {}  # tasks in service by (class, offer)
        self.ahead: list[dict[int, int]] = [{} for _ in range(LEVELS)]  # the waiting, by level too
        self.done = self.since = self.rate = 0.0
        self.aimed: Task | None = None
        self.alarm = calendar.event()
        calendar.process(self.work())

    # --- service --------------------------------------------------------------------------------

    def rate_of(self, streams: float) -> float:
        """Return the tokens per second of each of so many streams."""
        if math.isinf(self.kappa) or streams == 1:
            return self.speed
        return self.speed * self.kappa / (self.kappa + streams - 1.0)

    def work(self) -> Process:
        """Finish one task after the other."""
        while True:
            yield self.alarm
            self.done, _, task = heappop(self.running)
            self.since, self.aimed = self.calendar.now, None
            self.stop(task)
            self.ended(task, "served")
            self.fill()
            self.aim()

    def sync(self) -> None:
        """Count the work done since the last change."""
        now = self.calendar.now
        self.done += self.rate * (now - self.since)
        self.since = now

    def aim(self) -> None:
        """Set the alarm to the next completion. Whoever waits for the old one waits for the new."""
        streams = len(self.running)
        first = self.running[0][2] if streams and not self.down else None
        rate = self.rate_of(streams) if first else 0.0
        if first is self.aimed and rate == self.rate:
            return
        self.sync()
        self.rate, self.aimed = rate, first
        if first:
            left = self.running[0][0] - self.done
            time = self.since + left / rate if left > 0.0 else self.since
            alarm = self.calendar.at(time, COMPLETION, first.id)
        else:
            alarm = self.calendar.event()
        if self.alarm.callbacks:
            alarm.callbacks, self.alarm.callbacks = self.alarm.callbacks, []
        self.alarm = alarm

    def start(self, task: Task) -> None:
        """Put a task into a slot; `sync` and `aim` are up to the caller."""
        now = self.calendar.now
        if not self.running:
            self.done = 0.0
        if task.waiting:
            task.waiting = False
            task.wait += now - task.queued
        if task.started != task.started:
            task.started = now
        task.resumed = now
        heappush(self.running, (self.done + task.left, task.id, task))
        self.in_service[task.level] += 1
        self.serving[task.cell] = self.serving.get(task.cell, 0) + 1
        self.changed()

    def stop(self, task: Task) -> None:
        """Note that a task has left its slot."""
        task.service += self.calendar.now - task.resumed
        self.in_service[task.level] -= 1
        self.serving[task.cell] -= 1
        self.changed()

    # --- queues ---------------------------------------------------------------------------------

    def preempts(self, level: int) -> bool:
        """Return whether a task of this level pushes another out when no slot is free."""
        return self.preemptive and any(self.in_service[level + 1 :])

    def join(self, task: Task, level: int) -> None:
        """Take a task that comes: into a slot, in another's place, or into a queue."""
        task.level = level if self.by_level else 0
        if len(self.running) < self.slots:
            self.sync()
            self.start(task)
        elif self.preempts(task.level):
            self.sync()
            self.push_out()
            self.start(task)
        else:
            self.enqueue(task, back=True)
            if task.patience < math.inf:
                self.calendar.process(self.impatience(task))
            return
        self.aim()

    def push_out(self) -> None:
        """Send the task of the worst level, among those the last come, back to the queue's head."""
        entry = max(self.running, key=lambda entry: (entry[2].level, entry[2].time, entry[1]))
        self.running.remove(entry)
        heapify(self.running)
        finish, _, task = entry
        self.stop(task)
        task.left = max(finish - self.done, 0.0)
        self.enqueue(task, back=False)

    def enqueue(self, task: Task, *, back: bool) -> None:
        """Let a task wait."""
        task.waiting, task.queued = True, self.calendar.now
        queue = self.queues[task.level]
        if back:
            queue.append(task)
        else:
            queue.appendleft(task)
        self.count(task, 1)

    def count(self, task: Task, change: int) -> None:
        """Keep the books of who waits."""
        self.waiting[task.level] += change
        ahead = self.ahead[task.level]
        ahead[task.cell] = ahead.get(task.cell, 0) + change
        self.changed()

    def fill(self) -> None:
        """Start waiting tasks while there are slots, best level first."""
        if self.down:
            return
        for level in range(LEVELS):
            while self.waiting[level] and len(self.running) < self.slots:
                task = self.queues[level].popleft()
                if task.waiting:
                    self.count(task, -1)
                    self.start(task)

    def impatience(self, task: Task) -> Process:
        """Let a task leave if it has not been started in time."""
        leave = max(task.time + task.patience, self.calendar.now)
        yield self.calendar.at(leave, RENEGE, task.id)
        if task.started != task.started:
            self.count(task, -1)
            task.waiting = False
            task.wait += self.calendar.now - task.queued
            self.ended(task, "reneged")

    # --- agents ---------------------------------------------------------------------------------

    def break_down(self, in_service: str) -> None:
        """Stop; what is in service stands still, goes back to the queue, or fails."""
        self.sync()
        self.down += 1
        self.changed()
        if in_service != "resume":
            tasks = sorted((e[2] for e in self.running), key=lambda task: (task.time, task.id))
            self.running.clear()
            for task in tasks:
                self.stop(task)
            if in_service == "fail":
                for task in tasks:
                    self.ended(task, "failed")
            else:
                for task in reversed(tasks):
                    task.left = task.work
                    self.enqueue(task, back=False)
        self.aim()

    def repair(self) -> None:
        """Go on."""
        self.sync()
        self.down -= 1
        if self.down:
            return
        self.opened = self.calendar.now
        self.changed()
        self.fill()
        self.aim()

    def add_slots(self, slots: float) -> None:
        """Use more slots from now on."""
        self.sync()
        self.slots += slots
        self.changed()
        self.fill()
        self.aim()

    def list(self, listed: bool) -> None:
        """Open or close for newcomers."""
        self.listed, self.opened = listed, self.calendar.now
        self.changed()
