"""Serving: the server, its interfaces, and what follows from an answer."""
