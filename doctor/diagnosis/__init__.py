"""Diagnosis: the rule engine. It holds no knowledge of any single check."""
