"""Queues that keep what is put on them."""

from __future__ import annotations

from shared.azure.queues import Queues


class KeptMessages(Queues):
    """Queues that nobody works on.

    Attributes:
        messages: queue, text and seconds until it would be visible, in their order.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, int]] = []

    async def enqueue(self, queue: str, text: str, *, delay_seconds: int = 0) -> None:
        self.messages.append((queue, text, delay_seconds))
