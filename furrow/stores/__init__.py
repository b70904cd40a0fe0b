"""Stores: the point-in-time join, packed records, LMDB and Redis. They know nothing of Feast."""
