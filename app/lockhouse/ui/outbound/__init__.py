"""Requests that would be sent, or were: shown byte for byte, with the question whether to send."""
