"""Work that is due later: the queue it waits on, and what became of work that failed."""
