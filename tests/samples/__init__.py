"""The samples: what the tool says of them, and how its reports of them look."""
