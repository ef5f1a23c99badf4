"""The page: Deliveries."""
