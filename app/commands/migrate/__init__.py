"""`pact-dispatch migrate`: bring the tables of the database up to date, and end."""
