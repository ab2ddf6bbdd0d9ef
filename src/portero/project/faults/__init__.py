"""Faults made on purpose: to see that nothing is lost, sent twice or sent unrecorded under them.

`proxy` stands between two parts and ill-treats what passes, `processes` kills, stops and continues
them, `disk` makes a small one, `clock` sets a process's wall clock, `schedule` draws faults from a
seed and plays them. For rehearsals and tests: nothing of an installation loads it.
"""
