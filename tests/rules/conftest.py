"""How properties are checked here: by examples, never by the clock."""

from hypothesis import settings

settings.register_profile("parley", deadline=None)
settings.load_profile("parley")
