"""Triton's interpreter with all programs of a launch at once, in turns: for kernels whose programs wait for each other.

The interpreter runs one program after another, so that the first that waits would wait for ever. Here each program
is a thread, and one of them has the turn; it hands that on after every atomic operation, which is how programs tell
each other anything.
"""

import importlib
import itertools
import threading


class Turns:
    """Programs of a launch as threads, of which one runs at a time."""

    def __init__(self, builder, program, indices):
        self.builder, self.program, self.indices = builder, program, indices
        self.turn = threading.Condition()
        self.waiting = list(range(len(indices)))
        self.mine = threading.local()
        self.current = 0
        self.failed = None

    def run(self):
        threads = [threading.Thread(target=self._one, args=(k,)) for k in range(len(self.indices))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failed:
            raise self.failed

    def _one(self, k):
        self.mine.k = k
        with self.turn:
            self._await(k)
        try:
            self.program()
        except Exception as error:  # noqa: BLE001 - told by the thread that launched
            self.failed = self.failed or error
        with self.turn:
            following = self._next(k)
            self.waiting.remove(k)
            self.current = following
            self.turn.notify_all()

    def hand_on(self):
        """Let the next one go on, and wait for the turn."""
        k = self.mine.k
        if self.failed:
            raise self.failed
        with self.turn:
            self.current = self._next(k)
            self.turn.notify_all()
            self._await(k)

    def _next(self, k):
        place = self.waiting.index(k)
        return self.waiting[(place + 1) % len(self.waiting)]

    def _await(self, k):
        assert self.turn.wait_for(lambda: self.current == k, timeout=60), "a program waits for ever"
        self.builder.set_grid_idx(*self.indices[k])


def install(monkeypatch):
    """Have the interpreter run the programs of every launch in turns."""
    interpreter = importlib.import_module("triton.runtime.interpreter")
    builder = interpreter.interpreter_builder
    present = []
    atomic = builder.create_atomic_rmw

    def and_hand_on(*given):
        found = atomic(*given)
        if present:
            present[-1].hand_on()
        return found

    alone = interpreter.GridExecutor.__call__

    def in_turns(executor, *given, **options):
        grid = (*executor.grid, 1, 1)[:3]
        indices = list(itertools.product(*map(range, grid)))
        original = executor.fn

        def all_programs(**arguments):
            builder.set_grid_dim(*grid)
            present.append(Turns(builder, lambda: original(**arguments), indices))
            try:
                present[-1].run()
            finally:
                present.pop()

        executor.grid, executor.fn = (1, 1, 1), _like(original, all_programs)
        return alone(executor, *given, **options)

    monkeypatch.setattr(builder, "create_atomic_rmw", and_hand_on, raising=True)
    monkeypatch.setattr(interpreter.GridExecutor, "__call__", in_turns)


def _like(original, replacement):
    """A function that takes the arguments of the original by their names, with its globals."""
    names = ", ".join(original.__code__.co_varnames[: original.__code__.co_argcount])
    given = ", ".join(f"{name}={name}" for name in names.split(", "))
    scope = {}
    source = (
        f"def made(replacement):\n    def program({names}):\n        return replacement({given})\n    return program"
    )
    exec(source, original.__globals__, scope)  # noqa: S102 - names of arguments
    return scope["made"](replacement)
