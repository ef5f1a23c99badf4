"""Pacticipants, with their versions, branches, tags, labels and integrations."""
