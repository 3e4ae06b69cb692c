"""What every room stands on: time, ids, errors, logs, JSON bodies, pages, tasks."""
