"""What a person's own assistant may do with a repository: read it, and draft on branches."""
