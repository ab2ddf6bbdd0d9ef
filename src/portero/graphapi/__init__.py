"""Facts about Meta's Graph API: a call's operation, permissions and resources; errors; webhooks.

Data in, data out: no I/O, no clock. What the table of operations does not know does not exist.
"""
