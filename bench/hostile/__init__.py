"""Hostile clients against the tracker."""
