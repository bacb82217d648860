"""`python -m dynaguard.cli`: the same as the `dynaguard` command."""

from dynaguard.cli import main

main()
