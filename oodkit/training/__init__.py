"""Training: one loop, recipes as small files, and synthetic images beside the real ones (SIO) with any of them."""
