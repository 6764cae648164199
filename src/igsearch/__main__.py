"""`python -m igsearch`."""

from igsearch.cli.app import main

main()
