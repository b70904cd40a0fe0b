"""History: the index of runs, lists, one run whole, differences, a metric over commits."""
