"""Conversations: what two addresses have said to each other, and which of them are new."""

from __future__ import annotations

from shared.conversations.entries import Conversations, Entry, Top

__all__ = ["Conversations", "Entry", "Top"]
