"""`python -m evonas`, where the command is not on the path."""

from evonas.cli import main

if __name__ == "__main__":
    main()
