"""The operator's command: a client of Parley's HTTP interface, and of nothing else."""
