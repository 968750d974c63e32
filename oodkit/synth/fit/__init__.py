"""A small class-conditional diffusion model of one's own images: how it is trained, and the generator that it becomes."""
