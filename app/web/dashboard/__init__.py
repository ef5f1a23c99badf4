"""Pages for people; their templates are beside the code."""
