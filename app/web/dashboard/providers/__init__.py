"""The page: Providers."""
