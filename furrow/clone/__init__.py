"""Clone: what `furrow install` sets up in a clone."""
