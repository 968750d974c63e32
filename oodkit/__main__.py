"""``python -m oodkit`` is ``oodkit``."""

from oodkit.cli import main

if __name__ == "__main__":
    main()
