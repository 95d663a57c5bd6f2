"""Treatment: the remedies of failed checks, merged into one plan for this host."""
