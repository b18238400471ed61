"""`python -m md_sensitivity`: the same as the command `md-sensitivity`."""

import sys

from md_sensitivity.cli import main

if __name__ == "__main__":
    sys.exit(main())
