"""`python -m igsearch`."""

from igsearch.cli import main

main()
