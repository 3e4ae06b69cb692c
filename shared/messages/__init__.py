"""The record of messages: facts as they happened, and what a reader makes of them."""
