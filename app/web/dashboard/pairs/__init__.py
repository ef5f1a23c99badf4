"""The page: Pair."""
