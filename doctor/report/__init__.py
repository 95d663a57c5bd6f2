"""Reports: one `Report` value, rendered in every format."""
