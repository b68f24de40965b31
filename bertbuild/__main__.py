"""`python -m bertbuild` is the `bertbuild` program."""

from bertbuild.main import main

main()
