"""What is computed from runs: statistics, welfare, equilibria, figures, reports."""
