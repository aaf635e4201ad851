"""Who interprets as the deadline tightens: one market a deadline, all with the same buyers.

Run it with `python tightening_deadline.py [figure.html]`; it takes seconds.
"""

import sys
from pathlib import Path

import pandas as pd
import plotly.express as px

import walras as w

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else f"{Path(__file__).stem}.html")
SECONDS = [0.25, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1.0, 1.5, 2.0]

# The sellers of a scenario: models on distant servers, models on a phone, a professional.
sellers = w.load("real_time_translation").sellers

shares = {}
for deadline in SECONDS:
    # A short phrase, worth a cent if it is right and in time; see the scenario for the rest.
    phrase = w.TaskClass(
        "phrase", w.Poisson(8), input_tokens=w.LogNormal(20, cv=0.4),
        output_tokens=w.LogNormal(10, cv=0.5), value=w.usd(0.01), loss=0.001, deadline=deadline,
        skill="translation", difficulty=w.Difficulty(mean=-2, sd=1.5),
        choice=w.Logit(0.0002, nest=0.5),
    )  # fmt: skip
    market = w.Market(tasks=[phrase], sellers=sellers, run=w.Run(until="20 min"))
    # The same seed: the same buyers, phrases and tastes meet every deadline.
    table = w.run(market, seed=1).summary().query("task == 'phrase' and metric == 'share'")
    shares[deadline] = table.set_index("offer")["value"]

wide = pd.DataFrame(shares).T.fillna(0.0).rename_axis("deadline (s)")
wide = wide[wide.columns[wide.max() > 0.02]]
print(wide.round(2).to_string())
title = "Who interprets a phrase as the deadline tightens"
px.area(wide, log_x=True, title=title, labels={"value": "share"}).write_html(OUT)
print(f"figure: {OUT}")
