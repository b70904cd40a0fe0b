"""What a project's models are worth and whose they are: proof, health, owners, cost, score, audit."""
