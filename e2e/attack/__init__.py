"""Attacks against real servers and real browsers: `make attack`."""
