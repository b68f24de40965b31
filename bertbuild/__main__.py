"""`python -m bertbuild` is the `bertbuild` program."""

from bertbuild.cli.main import main

main()
