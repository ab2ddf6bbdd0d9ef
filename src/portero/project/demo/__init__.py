"""`portero demo`: Tienda Andina, a lived-in workspace with everything it needs, in one folder.

`running` orders the processes; `workspace`, in a process of its own, makes the database from the
facts of `world` and `keys` by way of `seed` and `history`.
"""
