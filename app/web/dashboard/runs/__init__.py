"""The page: Runs."""
