"""The raw figures of a period, table by table: pure functions of what was collected.

Every figure counts what happened within the period, and a person's or a thing's step is counted once, on the day it was
first taken. So two periods that share no day share nothing that is counted.
"""
