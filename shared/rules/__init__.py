"""What Parley knows, without I/O: tables and pure functions."""
