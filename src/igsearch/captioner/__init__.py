"""From pixels to sentences: everything that needs torch."""
