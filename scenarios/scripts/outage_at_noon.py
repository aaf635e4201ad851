"""The cheapest seller fails at noon: who takes its buyers, and who waits.

Run it with `python outage_at_noon.py [figure.html]`; it takes seconds.
"""

import sys
from pathlib import Path

import plotly.express as px

import walras as w

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else f"{Path(__file__).stem}.html")

# Cheap and good enough; dearer, with little room to spare; the best, at ten times the price.
sellers = [
    w.Seller("cheap", accuracy=0.85, speed=100, slots=40, price=w.per_mtok(0.1, 0.4)),
    w.Seller("middle", accuracy=0.88, speed=80, slots=10, price=w.per_mtok(0.4, 1.6)),
    w.Seller("best", accuracy=0.92, speed=60, slots=40, price=w.per_mtok(1.0, 4.0)),
]

# Answers are worth a cent on average; whoever waits loses a twentieth of a cent per second.
chat = w.TaskClass(
    "chat", w.Diurnal(4, amplitude=0.5, phase="18 h"), input_tokens=1000,
    output_tokens=w.LogNormal(300, cv=1), value=w.LogNormal(0.01, cv=1), delay_cost=0.0005,
    choice=w.Logit(0.0003),
)  # fmt: skip

# Whoever is being served then waits for the repair and starts again.
outage = w.Outage(at="12 h", seller="cheap", duration="2 h", in_service="requeue")
market = w.Market(tasks=[chat], sellers=sellers, events=[outage], run=w.Run(until="24 h"))
result = w.run(market, seed=1)

load = result.sellers.assign(hour=result.sellers["start"] / 3600)
load["tasks there"] = load["running"] + load["waiting"]
noon = load[load["hour"].between(12, 14, inclusive="left")]
print(noon.groupby("seller", observed=True)[["running", "waiting", "utilisation"]].mean().round(2))
title = "The cheapest seller is down from 12 to 14 h"
px.line(load, x="hour", y="tasks there", color="seller", title=title).write_html(OUT)
print(f"figure: {OUT}")
