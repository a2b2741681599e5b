"""GGUF files: their headers, whether they can be loaded, and the memory they take."""
