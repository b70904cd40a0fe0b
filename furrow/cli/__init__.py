"""The command line: one noun a module, loaded when it is called."""
