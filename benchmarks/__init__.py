"""docdask and its rivals on the same work; each prints Markdown tables of what it measured."""
