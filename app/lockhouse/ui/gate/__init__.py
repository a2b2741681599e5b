"""The Gate page: what is open, what left, keys and servers, cost, and the proof."""
