"""The SQLite file: its tables, its rows, and what is encrypted in it."""
