"""Analytics: exact counts for each minute, hour and day, made from the facts and from them alone.

A minute's counts are a pure fold over that minute's facts; an hour is the sum of its minutes, a day
the sum of its hours. So they can be thrown away and made again at any time, and come out the same
to the byte.
"""
