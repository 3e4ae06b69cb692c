"""The triggers: each reads, calls `shared`, answers. No rules, no storage calls."""
