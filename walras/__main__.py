"""`walras` and `python -m walras`: the command line, from its first import on."""

import sys


def main() -> int:
    """Run the command line and return its exit code; Ctrl-C while it is imported is 130."""
    try:
        from .cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
