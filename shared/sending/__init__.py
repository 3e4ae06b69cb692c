"""Sending: a request becomes rules, rules become one call of ACS, and every end has a name."""
