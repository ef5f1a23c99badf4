"""The page: Overview."""
