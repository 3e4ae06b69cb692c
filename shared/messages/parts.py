"""What every room above is wired from, made once a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from shared.azure.acs import AcsClient
from shared.azure.blobs import Blobs
from shared.azure.clients import Clients
from shared.azure.queues import Queues
from shared.azure.tables import Tables
from shared.azure.topic import Topic
from shared.base.clock import Clock
from shared.base.randomness import Randomness
from shared.jobs import Jobs
from shared.jobs.dispatch import Dispatch
from shared.messages.record import Record
from shared.optouts import Ledger
from shared.rules.senders import Programs, Sender
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that rooms share.

    Attributes:
        settings: the app's.
        clock: the time.
        randomness: random bytes.
        azure: the clients.
        jobs: work that is due later.
        record: the facts about messages.
        ledger: who may be texted.
    """

    settings: Settings
    clock: Clock
    randomness: Randomness
    azure: Clients
    jobs: Jobs
    record: Record
    ledger: Ledger

    @property
    def tables(self) -> Tables:
        """The record's tables."""
        return self.azure.tables

    @property
    def dispatch(self) -> Dispatch:
        """The queue of what is due soon."""
        return self.jobs.dispatch

    @property
    def queues(self) -> Queues:
        """The record's queues."""
        return self.azure.queues

    @property
    def blobs(self) -> Blobs:
        """The record's blobs."""
        return self.azure.blobs

    @property
    def acs(self) -> AcsClient:
        """The platform."""
        return self.azure.acs

    @property
    def topic(self) -> Topic:
        """The way to the application."""
        return self.azure.topic

    @property
    def id_key(self) -> bytes:
        """From which message ids are derived."""
        return self.settings.id_key

    @property
    def senders(self) -> Mapping[str, Sender]:
        """Those configured."""
        return self.settings.senders

    @property
    def programs(self) -> Programs:
        """Which program a sender belongs to."""
        return Programs(self.settings.senders)

    @property
    def acs_timeout(self) -> timedelta:
        """How long an attempt may take; an older one is dead."""
        return timedelta(seconds=self.settings.acs_timeout_seconds)
