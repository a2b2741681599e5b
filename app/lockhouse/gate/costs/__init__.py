"""What remote answers cost: a dated list of prices, limits, and what was spent."""
