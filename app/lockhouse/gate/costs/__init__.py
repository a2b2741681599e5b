"""What answers from elsewhere cost: a dated list of prices, limits, and what was spent."""
