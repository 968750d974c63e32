"""What is written of a result: documents with a schema, and each form that they are shown in, one file each."""
