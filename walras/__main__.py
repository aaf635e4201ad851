"""`python -m walras` is `walras`."""

import sys

from .cli import main

sys.exit(main())
