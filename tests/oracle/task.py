"""A task on its way through the market."""

from __future__ import annotations

import math

import simpy


class Task:
    """What a task asks for, then what has become of it."""

    __slots__ = (
        "alone", "cell", "contract", "covered", "deadline", "delay_cost", "difficulty", "ended",
        "factor", "id", "input", "joined", "kind", "left", "level", "number", "offer", "output",
        "patience", "price", "promise", "queued", "resumed", "row", "served",
        "service", "started", "taste", "time", "utility", "value", "wait", "waiting", "work",
    )  # fmt: skip

    def __init__(
        self, row: int, id_: int, time: float, kind: int, input_: float, output: float,
        value: float, delay_cost: float, deadline: float, patience: float, difficulty: float,
    ) -> None:  # fmt: skip
        self.row, self.id, self.time, self.kind = row, id_, time, kind
        self.input, self.output = input_, output
        self.value, self.delay_cost = value, delay_cost
        self.deadline, self.patience, self.difficulty = deadline, patience, difficulty
        self.offer, self.cell, self.level = -1, -1, 0
        self.contract, self.number, self.covered = -1, -1, 0.0
        self.price = self.utility = self.taste = 0.0
        self.work = self.left = 0.0
        self.joined, self.factor, self.promise = math.nan, 1.0, math.inf
        self.alone = False  # its call took another time than those of its class now
        self.waiting = self.served = False
        self.queued = self.resumed = self.wait = self.service = 0.0
        self.started = math.nan
        self.ended: simpy.Event | None = None  # what a closed user waits for
