"""``python -m imgcolor``."""

import sys

from imgcolor.cli import main

sys.exit(main())
