"""Statements that somebody signed: their form, who may make which, and what they are worth."""
