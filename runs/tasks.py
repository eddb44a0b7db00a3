"""What a message asks for: to look. No task lives longer than that."""

from celery import shared_task

from runs import hints


@shared_task(name="runs.wake")  # type: ignore[untyped-decorator]  # celery has no types
def wake() -> None:
    hints.ring_here()
