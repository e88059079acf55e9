"""Runs state machines: as many examples as the profile asks for, from a seed that a failure prints.

`--hypothesis-profile=long` runs twenty times as many. `MODEL_SEED=n` repeats the run whose output says so.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run(machine: Callable[[], RuleBasedStateMachine], *, examples: int, steps: int, shrink: bool = True) -> None:
    """Run a machine through `examples` sequences of up to `steps` rules; those numbers are for the profile `ci`.

    Args:
        machine: makes one.
        examples: sequences.
        steps: rules of a sequence, at most.
        shrink: look for a shorter sequence that fails; not where each failure is a wait of many seconds.
    """
    number = int(os.environ.get("MODEL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"MODEL_SEED={number}")

    class Seeded:
        """What hypothesis takes for the machine, with the seed on it."""

        def __new__(cls) -> RuleBasedStateMachine:  # type: ignore[misc]
            return machine()

    seed(number)(Seeded)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Seeded,
        settings=settings(
            max_examples=max(1, examples * settings.default.max_examples // 100),
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
