"""Looks for private values in what is about to be shared; it shares no pattern and no code with the redactor.

`scan` has the search, `layers` takes encodings off, `known.json` the values that look private and are not.
"""
