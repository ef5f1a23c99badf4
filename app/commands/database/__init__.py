"""`pact-dispatch database`: dump, restore, move and upgrade a receiver's database."""
