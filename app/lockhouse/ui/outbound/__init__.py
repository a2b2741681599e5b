"""What would leave, or did, shown byte for byte, and the question whether it may."""
