"""The fluid market: shares are choice probabilities, delays are queueing formulas at the loads."""
