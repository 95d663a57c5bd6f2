"""Facts: pure parsers, one file a source, and `Host`, which joins them. They never judge."""
