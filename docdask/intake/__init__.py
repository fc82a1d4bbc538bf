"""Finding documents and telling what they are."""
