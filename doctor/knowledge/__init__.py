"""The cellar under the house: loads the compiled knowledge (rules, messages, platforms) as plain data."""
