"""The revisions of the ledger's tables, oldest first: each knows the one before it.

A revision is written once and never changed; it uses nothing of `schema`, which is always of today.
"""
