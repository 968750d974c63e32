"""What several scorers share; no scorer of its own."""
