"""How the last layer is refitted: plain cross-entropy of features and labels in, a head out."""
