"""Every player on every way into the pool: a matrix of small swarms, each of two viewers."""
