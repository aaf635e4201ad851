"""The figures of the dashboard, each a function of arrays that returns what Plotly draws.

They are built ten times a second, so they are plain data rather than Plotly's objects.
"""
