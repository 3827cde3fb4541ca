"""``python -m ohmbit`` is the command ``ohmbit``."""

import sys

from .command import main


sys.exit(main())
