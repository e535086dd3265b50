"""Benches: each published figure is printed by a command here."""
