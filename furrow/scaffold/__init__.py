"""Scaffold: a project written from somebody's own data (`furrow init`), and the everyday additions to one."""
