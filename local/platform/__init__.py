"""The simulated platform: what Azure, the carriers and the people are to Parley, on one machine.

One process stands in for Azure Communication Services SMS, the carriers behind it with their
handsets, Event Grid's system topic, and the custom topic that Parley publishes to. It knows Parley
only through the interfaces that the real ones have. `python -m local.platform` starts it.
"""
