"""The page: Queue."""
