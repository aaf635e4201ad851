"""Markets solved instead of simulated: what the event market tends to, from the same spec."""
