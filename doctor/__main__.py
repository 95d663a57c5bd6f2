"""`python -m doctor` is `passdoctor`."""

from doctor.cli import main

raise SystemExit(main())
