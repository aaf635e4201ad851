"""A price war: three sellers undercut each other until it hurts, then start again at the top.

Run it with `python price_war.py [figure.html]`; it takes seconds.
"""

import sys
from pathlib import Path

import walras as w

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else f"{Path(__file__).stem}.html")

# Three equally good sellers with different unit costs, prices in USD per million output tokens.
# Each looks at the others' prices every five minutes, at its own minute, and goes a tick below
# the cheapest; when that would leave it less than a tenth over its cost, it goes back to the top.
sellers = [
    w.Seller(
        name, accuracy=0.9, speed=100, slots=50, price=w.per_mtok(0.5, 2.0),
        cost=w.per_mtok(cost / 4, cost), tick=0.05, reprice_every="5 min", enters=start,
        pricing=w.Undercut(floor=0.1),
    )
    for name, cost, start in [("lean", 0.4, "0 s"), ("usual", 0.6, "100 s"), ("lush", 0.8, "200 s")]
]  # fmt: skip

# Buyers of short answers; tastes keep the dearer sellers from losing everybody at once.
chat = w.TaskClass(
    "chat", w.Poisson(5), input_tokens=1000, output_tokens=w.LogNormal(300, cv=1),
    value=w.usd(0.004), choice=w.Logit(0.0001),
)  # fmt: skip

market = w.Market(tasks=[chat], sellers=sellers, run=w.Run(until="12 h", epoch="5 min"))
result = w.run(market, seed=1)

for seller, prices in result.prices.groupby("seller", observed=True)["price"]:
    print(f"{seller}: {prices.min():.2f} to {prices.max():.2f}, mean {prices.mean():.2f} USD/Mtok")
w.plot.price_paths(result).write_html(OUT)
print(f"figure: {OUT}")
