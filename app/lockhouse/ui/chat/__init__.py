"""The Chat page: conversation list, transcript, composer, details."""
