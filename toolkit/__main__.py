"""`python -m toolkit` is `cogsym`."""

from toolkit.cli import main

if __name__ == "__main__":
    main()
