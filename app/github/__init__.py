"""What is said to GitHub, and what its answers mean."""
