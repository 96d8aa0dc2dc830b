"""``python -m imgcolor``."""

import sys

from imgcolor.cli.main import main

sys.exit(main())
