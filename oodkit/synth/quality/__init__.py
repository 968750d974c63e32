"""How good synthetic images are beside real ones: in the feature space of a classifier, all at equal numbers of images."""
