"""Forms in which a repaired classifier or a detector leaves oodkit, one file a form."""
