"""Whether this machine and this installation can do the work, and what to do where they cannot.

Nothing here imports a third-party library at its top: it runs where one is missing or broken, and says so.
"""
