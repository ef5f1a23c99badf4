"""Dumps of a receiver's database, and its way to another server or another version of PostgreSQL."""
