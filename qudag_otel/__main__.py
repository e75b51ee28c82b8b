"""`python -m qudag_otel` is `qudag-otel`."""

import sys

from qudag_otel.cli import main

sys.exit(main())
