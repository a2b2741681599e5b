"""The three dialects: how a question is written down for a provider, and how its stream is read."""
