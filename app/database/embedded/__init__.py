"""An embedded PostgreSQL, for receivers without a database of their own."""
