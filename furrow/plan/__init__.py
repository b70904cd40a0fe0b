"""Plan: the difference between what Git declares and what is, and making it nil."""
