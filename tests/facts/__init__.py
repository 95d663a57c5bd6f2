"""Facts, from evidence written down in the tests."""
