"""Texts as they may be shown: without secrets, and harmless to the terminal that shows them (no I/O)."""
