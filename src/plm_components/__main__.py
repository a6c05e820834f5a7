"""``python -m plm_components`` is the ``plm`` command."""

import sys

from plm_components.cli import main

sys.exit(main())
