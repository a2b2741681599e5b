"""The command line: every capability of the window as a command. Knows no Qt.

``main`` is the one place where an error becomes text and an exit code; ``output`` the one place
that writes. Every other module holds the commands of one noun and imports what is heavy only
when a command runs, so that ``lockhouse paths`` starts in a blink.
"""

COMPLETION = "_LOCKHOUSE_COMPLETE"
"""The variable with which a shell asks how a line could go on."""
