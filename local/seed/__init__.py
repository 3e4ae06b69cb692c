"""A plausible month for the local stack: made up from a fixed seed, written down as facts.

Charts, lists and pictures need a past. Nothing here plays the past again: `month` makes up who
texted whom and what came of it, `rows` puts that into storage in the form in which Parley itself
would have left it.
"""
