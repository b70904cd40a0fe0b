"""`python -m furrow`: the command, from the checkout that it is called in."""

from furrow.cli.main import main

main()
