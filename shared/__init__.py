"""Parley's domain: the rules, the record and the clients. Nothing here imports azure.functions."""
