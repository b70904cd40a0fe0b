"""Models: bundles, cards, the registry."""
