"""The Models page: which models this machine has, and what each of them is."""
