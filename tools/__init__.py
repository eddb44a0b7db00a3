"""Scripts behind the Makefile: setting up, testing, checking. Not part of what runs in production."""
