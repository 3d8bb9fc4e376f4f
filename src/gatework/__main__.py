"""`python -m gatework`."""

from gatework.cli.main import main

main()
