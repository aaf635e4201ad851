"""Certificates: what anybody could gain by deviating from a candidate point, bounded by runs."""
