"""The spec: what a market is, as data, field by field; and what is wrong with it, said plainly."""
