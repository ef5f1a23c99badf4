"""Pages for people, with their templates."""
