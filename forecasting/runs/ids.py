"""Random ids of runs and uploads."""

import secrets

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def random_id(length: int) -> str:
    """An id that nobody can guess, of letters and digits that nobody confuses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
