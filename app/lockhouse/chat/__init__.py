"""Conversations: a tree of messages kept in the one database, and the turns that grow it."""
