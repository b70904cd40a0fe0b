"""A folder to put on PYTHONPATH: its sitecustomize writes down which files a process opens."""
