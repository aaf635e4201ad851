"""What a paper needs: tables, a description of the model, a replication package, its check."""
