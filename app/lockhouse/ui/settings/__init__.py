"""The Settings page, built from the fields of the settings file."""
