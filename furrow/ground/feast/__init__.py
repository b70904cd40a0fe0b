"""Feast: its offline and online stores on Furrow's, and the reading of a Feast repository."""
