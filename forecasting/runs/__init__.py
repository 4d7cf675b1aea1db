"""Runs that last: the database, the engine that works through its queue, and the workers."""
