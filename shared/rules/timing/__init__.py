"""When a text may leave: where its recipient is, what the clock says there, what the rules allow.

`zones` finds the time zones of a number, `local_time` turns local clocks into moments, `windows`
says which hours of which days are open, `quiet` holds the rules and finds the next moment allowed,
`when` reads the moment that a caller asks for. No part of it knows the time now: callers pass it.
"""
