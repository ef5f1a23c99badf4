"""The page: System."""
