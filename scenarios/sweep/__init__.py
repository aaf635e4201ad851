"""Sweeps: many runs of one scenario, as a design says, kept so that nothing finished is lost."""
