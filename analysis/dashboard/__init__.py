"""The live dashboard: a page beside a market that runs.

The web process serves the page and passes messages; a process of its own solves the fluid market,
another one the equilibrium, and each open page has one that simulates. All of them speak JSON.
"""
