"""Pages of a repository, live and exported: read-only, made by the server, each also JSON and CSV."""
