"""Training: experiments declared and composed, datasets, fitting, evaluation, the gate, live curves."""
