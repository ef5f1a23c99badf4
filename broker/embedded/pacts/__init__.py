"""Pacts: one, lists of them, and their content."""
