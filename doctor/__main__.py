"""`python -m doctor` is `passdoctor`."""

from doctor.cli import start

start()
