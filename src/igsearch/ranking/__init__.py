"""What a query is compared with: the fitted words of a profile."""
