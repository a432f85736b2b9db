"""Running a state machine of Hypothesis against the service."""

from collections.abc import Callable

from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_machine(machine: Callable[[], RuleBasedStateMachine], *, runs: int, steps: int) -> None:
    """Run it that often, and show the first difference as it came."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )
