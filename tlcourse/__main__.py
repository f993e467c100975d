"""`python -m tlcourse` is the command line `tlcourse`."""

import sys

from .classroom.cli import main

sys.exit(main())
