"""Two sellers, two minutes, as a file: what sweeps and commands for papers are tried on."""

SCENARIO = """
name = "two"
question = "Who sells | what?"
[run]
until = 120.0
epoch = 6.0
[[tasks]]
name = "chat"
arrivals = { kind = "poisson", rate = 1.0 }
value = 2.0
choice = { kind = "logit", scale = 0.25 }
[[sellers]]
name = "one"
accuracy = 1.0
price = { task = 1.2 }
cost = { task = 1.0 }
slots = "unlimited"
[[sellers]]
name = "two"
accuracy = 1.0
price = { task = 1.3 }
cost = { task = 1.0 }
slots = "unlimited"
pricing = { name = "undercut", params = { floor = 0.05 } }
"""
