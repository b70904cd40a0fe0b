"""What a project's models are worth and whose they are.

Proof, health, owners, cost, score, audit.
"""
