"""What is stored: one module a table, with all of its SQL."""
