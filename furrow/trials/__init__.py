"""Trials: `furrow try` and `furrow adopt`, and following their live curves."""
