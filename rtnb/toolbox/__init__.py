"""Ready tools, each a readable example."""
