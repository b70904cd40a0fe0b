"""CI: what runs on a push, its reports, and the hook of a bare repository."""
