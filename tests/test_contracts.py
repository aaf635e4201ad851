"""Contracts: bills, who takes which, queue levels, and books, against closed forms.

Statistical comparisons are made at six standard errors (false alarms below 2e-9 each) and name
what they would notice; each is also made against a value 5% off, which must fail.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

import walras as w
from walras.agents.contracts import Customers
from walras.market import rng, workload
from walras.market.state import FAILED, RENEGED, SERVED
from walras.scenarios.load import check

PERIOD = 100.0
TERMS = {"contract_period": PERIOD}


def plan(task: w.TaskClass | list[w.TaskClass], seller: Any, periods: int = 4, **more: Any) -> Any:
    """Return a market with periods of 100 s, fees and all."""
    tasks = task if isinstance(task, list) else [task]
    sellers = seller if isinstance(seller, list) else [seller]
    fields = {"platform": TERMS, "run": {"until": periods * PERIOD, "epoch": PERIOD}, **more}
    return w.Market(tasks=tasks, sellers=sellers, **fields)


def asking(rate: float, **more: Any) -> w.TaskClass:
    """Return a class of tasks of one token each, worth 2 USD."""
    return w.TaskClass("ask", w.Poisson(rate), **{"value": 2.0, "output_tokens": 1.0, **more})


def server(price: float = 1.0, **more: Any) -> w.Seller:
    """Return a seller that is always right, fast and free, at a price per task."""
    fields: dict[str, Any] = {"accuracy": 1.0, "speed": 1e3, "slots": "unlimited"}
    return w.Seller(**{"name": "s", "price": w.per_task(price), **fields, **more})


def held(result: Any, contract: str, task: str = "ask") -> list[int]:
    """Return how many customers hold a contract, by period."""
    rows = result.contracts
    mine = rows[(rows["contract"] == contract) & (rows["task"] == task)]
    return [int(x) for x in mine["customers"]]


# --- bills -------------------------------------------------------------------------------------


def test_bill_of_fee_quota_and_overage() -> None:
    """N ~ Poisson(3) tasks a period: a mean bill of fee + rate · price · E[max(N − 3, 0)].

    E[(N − q)+] = μ·Pr(N ≥ q) − q·Pr(N > q). Price 4 against a value of 5, so that rate .5 keeps
    everybody in the contract. 1,000 customers, 60 periods; a bill that is 5% off is 13 standard
    errors away.
    """
    fee, quota, rate, price, mean = 0.25, 3, 0.5, 4.0, 3.0
    customers, periods = 1000, 60
    law = stats.poisson(mean)
    exact = fee + rate * price * (mean * law.sf(quota - 1) - quota * law.sf(quota))
    second = sum((n - quota) ** 2 * law.pmf(n) for n in range(quota, 60))
    spread = rate * price * math.sqrt(second - ((exact - fee) / rate / price) ** 2)
    task = asking(mean * customers / PERIOD, value=5.0, customers=customers)
    terms = {"fee": fee, "quota": quota, "rate": rate}
    result = w.run(plan(task, server(price, contracts={"c": terms}), periods), seed=3)
    assert held(result, "s/c") == [customers] * periods
    bill = result.epochs[["fee", "paid"]].to_numpy().sum() / (customers * periods)
    error = spread / math.sqrt(customers * periods)
    assert abs(bill - exact) < 6 * error
    assert abs(bill - 1.05 * exact) > 6 * error
    assert result.epochs["fee"].sum() == pytest.approx(fee * customers * periods, rel=1e-12)


def replayed(market: w.Market, columns: dict[str, Any]) -> list[int]:
    """Return each row's price in nano-dollars, worked out from sizes, times and contracts alone.

    Quota goes at the order and comes back at the end of what is not billed, ends before orders.
    """
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    seller_of = [s for s in market.sellers for _ in s.effort]
    thinking = [x for s in market.sellers for x in s.effort.values()]
    terms = [c for s in market.sellers for c in s.contracts.values()]
    period = market.platform.contract_period
    moments = sorted(
        [(float(r["arrival"]), 1, i) for i, r in enumerate(rows)]
        + [(float(r["finish"]), 0, i) for i, r in enumerate(rows)]
    )  # fmt: skip
    left: dict[tuple[int, int], float] = {}
    took: dict[int, tuple[tuple[int, int], float]] = {}
    prices = [0] * len(rows)
    for time, begins, i in moments:
        row, now = rows[i], int(time // period)
        if row["offer"] < 0:
            continue
        seller = seller_of[row["offer"]]
        billed = row["output"] * seller.verbosity + thinking[row["offer"]]
        posted = seller.price.task + seller.price.input * row["input"] / 1e6
        posted += seller.price.output * billed / 1e6
        if row["contract"] < 0:
            prices[i] = round(posted * 1e9)
            continue
        contract, tokens = terms[row["contract"]], float(row["input"] + billed)
        if begins:
            account = (int(row["customer"]), now)
            quota = left.get(account, contract.quota)
            covered = min(quota, tokens)
            left[account] = quota - covered
            took[i] = account, covered
            part = 1.0 if quota <= 0 else 1.0 - covered / tokens if tokens else 0.0
            prices[i] = round(posted * contract.rate * part * 1e9)
        else:
            late = contract.within is not None and row["sojourn"] > contract.within + 1e-9
            free = row["status"] != SERVED or late or (contract.on_success and not row["right"])
            account, covered = took[i]
            if free and account[1] == now:
                left[account] += covered
    return prices


contracts_ = st.builds(
    lambda fee, quota, rate, within, success: {
        "fee": fee, "quota": quota, "rate": rate, "on_success": success,
        **({"within": within} if within else {}),
    },
    st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.0, 3.5, 9.25, "unlimited"]),
    st.sampled_from([0.0, 0.5, 1.0, 1.3]), st.sampled_from([None, 1.5, 6.0]), st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(contracts_, min_size=1, max_size=3), st.integers(0, 10**6), st.booleans())
def test_prices_books_and_rationality(terms: list[dict[str, Any]], seed: int, logit: bool) -> None:
    """Any contracts: prices as replayed from the rows, books at zero, nobody expects to lose."""
    times = np.random.default_rng(seed).uniform(0, 30, 120).tolist()
    task = w.TaskClass(
        "ask", w.Replay(times=times), output_tokens=w.Exponential(1.0), input_tokens=0.5,
        value=w.Exponential(1.5), loss=0.2, deadline=4.0, patience=3.0, customers=5,
        usage=w.Exponential(1.0), choice=w.Logit(0.1) if logit else "argmax", delay_cost=0.01,
    )  # fmt: skip
    sellers = [
        w.Seller("a", accuracy=0.8, slots=2, discipline="priority", price=w.per_mtok(1e5, 3e5),
                 cost=w.per_task(0.1), effort={"low": 0.0, "high": 0.5},
                 contracts={f"c{j}": c for j, c in enumerate(terms)}),
        w.Seller("b", accuracy=0.7, price=w.per_task(0.3), slots=2),
    ]  # fmt: skip
    market = w.Market(
        tasks=[task], sellers=sellers,
        platform={"contract_period": 10.0, "commission": 0.0725}, run={"until": 90.0, "epoch": 10},
    )  # fmt: skip
    result = w.run(market, seed=seed, record="trades")
    rows = result.trades
    raw = {n: rows[n].to_numpy() for n in ("arrival", "finish", "input", "output", "sojourn")}
    raw |= {n: rows[n].to_numpy() for n in ("right", "customer")}
    raw |= {n: rows[n].cat.codes.to_numpy() for n in ("offer", "status", "contract")}
    raw["offer"] = np.where(rows["offer"] == "outside", -1, raw["offer"])
    raw["contract"] = np.where(rows["contract"] == "none", -1, raw["contract"])
    served = (rows["status"] == "served").to_numpy()
    expected = np.array(replayed(market, raw))
    assert np.abs(rows["price_nano"].to_numpy() - expected)[served].max(initial=0) <= 1
    assert result.accounts["balance_nano"].sum() == 0
    buyers = result.accounts.query("account == 'buyers'")["balance_nano"].sum()
    net = (rows["price_nano"] - rows["refund_nano"] - rows["penalty_nano"]).sum()
    fees = sum(n * round(c.fee * 1e9) for c, n in zip(
        sellers[0].contracts.values(),
        result.contracts.groupby("contract", observed=False)["customers"].sum().iloc[:-1],
        strict=True,
    ))  # fmt: skip
    assert -buyers == net + fees
    ordered = rows[rows["offer"] != "outside"]
    assert (ordered["utility"] >= -1e-12).all() or logit


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(contracts_, min_size=1, max_size=3), st.integers(0, 10**6))
def test_nobody_takes_a_contract_it_expects_to_lose_by(
    terms: list[dict[str, Any]], seed: int
) -> None:
    """The surplus expected of what is held is that of the best plan, so at least that of none."""
    market = plan(
        asking(0.3, customers=7, usage=w.Exponential(1.0), value=w.Exponential(1.0)),
        server(0.4, accuracy=0.8, contracts={f"c{j}": c for j, c in enumerate(terms)}), 3,
    )  # fmt: skip
    economy = w.Economy(market, seed)
    (buyers,) = economy.buyers
    customers = buyers.customers
    assert isinstance(customers, Customers)
    choose, seen = customers.choose, []

    def watched(waits: Any, now: float) -> None:
        plans, surplus = customers.worth(waits)
        choose(waits, now)
        holds = economy.engine.state.customers["holds"]
        mine = surplus[np.arange(7), [plans.index(c) for c in holds]]
        assert (mine >= surplus.max(axis=1) - 1e-9 * customers.stakes(plans)).all()
        seen.append(now)

    customers.choose = watched  # type: ignore[method-assign]
    economy.advance(299.0)
    assert seen == [0.0, 100.0, 200.0]


# --- who takes which ---------------------------------------------------------------------------


def usage_of(market: w.Market, seed: int) -> np.ndarray:
    """Return the tasks a period each customer of the first class brings on average."""
    task: Any = market.tasks[0]
    key = int(workload.class_key(seed, task.name))
    keyed = [rng.uniform(rng.hashed(key, rng.USAGE, j)) for j in range(task.customers)]
    sigma = math.sqrt(math.log(1 + task.usage.cv**2))
    weights = np.exp(sigma * special.ndtri(keyed))
    return weights / weights.sum() * task.arrivals.mean_rate * PERIOD  # type: ignore[no-any-return]


def test_who_uses_more_than_breaks_even_subscribes() -> None:
    """N tasks at 1 USD against a fee of 12: in the first period exactly those with N > 12.

    Later exactly those whose own past bills say so, each period half as heavy as the next.
    """
    fee, customers, periods = 12.0, 400, 5
    task = asking(40.0, customers=customers, usage=w.LogNormal(1.0, 0.8))
    seller = server(1.0, contracts={"flat": {"fee": fee, "quota": "unlimited"}})
    result = w.run(plan(task, seller, periods), seed=5, record="trades")
    expects = usage_of(result.market, 5)
    rows = result.trades
    rows = rows.assign(period=(rows["arrival"] // PERIOD).astype(int))
    for period in range(periods):
        subscribes = expects > fee
        assert held(result, "s/flat")[period] == subscribes.sum()
        assert 50 < subscribes.sum() < 250
        now = rows[rows["period"] == period]
        assert ((now["contract"] == "s/flat") == subscribes[now["customer"]]).all()
        brought = np.bincount(now["customer"], minlength=customers)
        expects = expects + (brought - expects) / 2


@pytest.mark.parametrize(("share", "subscribers"), [(0.99, 50), (1.0, 0), (1.01, 0)])
def test_a_two_part_tariff_takes_the_whole_surplus(share: float, subscribers: int) -> None:
    """Oi (1971): alike customers, price at cost: a fee of N·(V − cost) leaves them indifferent.

    N = 4 tasks a period worth 2 USD, cost and price 1, posted price 3: without the contract
    nobody buys. A little less than the whole surplus and all do, a little more and nobody does;
    who is indifferent stays as it is. The seller's profit is then all there is.
    """
    task = asking(2.0, customers=50)
    seller = server(3.0, cost=w.per_task(1.0),
                    contracts={"tariff": {"fee": share * 4.0, "rate": 1 / 3}})  # fmt: skip
    result = w.run(plan(task, seller, 1), seed=2)
    assert held(result, "s/tariff") == [subscribers]
    if subscribers:
        profit = result.sellers["profit"].sum()
        assert profit == pytest.approx(50 * 4 * share, rel=1e-6)
        served = result.epochs["served"].sum()
        assert result.accounts["balance_nano"].sum() == 0
        spent = -result.accounts["balance_nano"].iloc[0] * 1e-9
        assert spent == pytest.approx(50 * 4 * share + served)
    else:
        assert result.epochs["served"].sum() == 0


def test_a_flat_rate_raises_use() -> None:
    """Values exponential, mean 1, at a price of 1: e^−1 of the tasks are bought, all under a flat
    rate, whose worth to a customer is N·(1 − e^−1) more.

    20,000 tasks: the share without is within 6 of its 0.34% standard errors, and 5% off is not.
    """
    task = asking(50.0, value=w.Exponential(1.0), customers=20)
    uses, fee = {}, 250.0 * (1 - math.exp(-1))
    for share in (0.97, 1.03):
        terms = {"flat": {"fee": share * fee, "quota": "unlimited"}}
        result = w.run(plan(task, server(1.0, contracts=terms), 4), seed=4)
        takers = held(result, "s/flat")[0]
        assert takers == (20 if share < 1 else 0)
        first = result.epochs[result.epochs["epoch"] == 0]
        uses[share] = first["served"].sum() / first["assigned"].sum()
    assert uses[0.97] > 0.999  # but for what is in service
    error = math.sqrt(math.exp(-1) * (1 - math.exp(-1)) / 5000)
    assert abs(uses[1.03] - math.exp(-1)) < 6 * error


@pytest.mark.parametrize(("rate", "takers"), [(1.5, 30), (5 / 3, 0), (1.8, 0)])
def test_pay_on_success(rate: float, takers: int) -> None:
    """Right with .6: at rate r a right answer costs r, at list 1/.6: who breaks even stays.

    Under the contract every right answer costs its price and every wrong one nothing.
    """
    task = asking(2.0, customers=30)
    terms = {"success": {"rate": rate, "on_success": True}}
    result = w.run(plan(task, server(1.0, accuracy=0.6, contracts=terms), 2), seed=6)
    assert held(result, "s/success") == [takers, takers]
    right = result.epochs["right"].sum()
    paid = (result.epochs["paid"] - result.epochs["refund"]).sum()
    assert right > 0
    if takers:
        assert paid / right == pytest.approx(rate, rel=1e-12)


def test_equal_plans_are_settled_by_coins() -> None:
    """Two twins' like contracts: of 400 customers each has 200 ± 60 (six standard errors)."""
    flat = {"flat": {"fee": 1.0, "quota": "unlimited"}}
    twins = [server(contracts=flat), server(name="t", contracts=flat)]
    result = w.run(plan(asking(40.0, customers=400), twins, 2), seed=8)
    mine, theirs = held(result, "s/flat"), held(result, "t/flat")
    assert mine[0] + theirs[0] == 400
    assert abs(mine[0] - 200) < 60
    assert mine[0] == mine[1]  # who is indifferent stays


def test_the_user_of_a_closed_class_is_the_customer() -> None:
    """Each of ten users brings its own tasks, and holds its own contract."""
    task = w.TaskClass("ask", w.Closed(10, 5.0), output_tokens=1.0, value=2.0)
    seller = server(contracts={"flat": {"fee": 1.0, "quota": "unlimited"}})
    result = w.run(plan(task, seller, 2), seed=1, record="trades")
    by_user = result.trades.groupby("customer").size()
    assert by_user.index.tolist() == list(range(10))
    assert by_user.max() - by_user.min() <= 1
    assert held(result, "s/flat") == [10, 10]


def test_a_contract_ends_when_its_seller_closes() -> None:
    """Closed in the second period: held until its end, not renewed, and sold again on return."""
    seller = server(contracts={"flat": {"fee": 1.0, "quota": "unlimited"}})
    events = [w.Exit(at=150.0, seller="s"), w.Enter(at=250.0, seller="s")]
    result = w.run(plan(asking(2.0, customers=10), seller, 4, events=events), seed=1)
    assert held(result, "s/flat") == [10, 10, 0, 10]


# --- queues ------------------------------------------------------------------------------------


def queue(delay_cost: float, **contract: Any) -> Any:
    """Return a run of one slot for two classes of exponential work, .3 and .5 tasks/s.

    The first class minds waiting, the second by so many USD/s.
    """
    common: dict[str, Any] = {
        "output_tokens": w.Exponential(1.0),
        "value": 1.0,
        "outside_option": False,
        "priority": 1,
    }
    tasks = [
        w.TaskClass("urgent", w.Poisson(0.3), delay_cost=1.0, **common),
        w.TaskClass("other", w.Poisson(0.5), delay_cost=delay_cost, **common),
    ]
    seller = w.Seller("s", accuracy=1.0, discipline="priority", price=w.per_task(1.0),
                      contracts={"tier": contract})  # fmt: skip
    market = w.Market(
        tasks=tasks, sellers=[seller], platform={"contract_period": 60_000.0},
        run={"until": 1_560_000.0, "warmup": 120_000.0},
    )  # fmt: skip
    return w.run(market, seed=1)


def waits_of(result: Any) -> dict[str, Any]:
    rows = result.summary().query("metric == 'wait' and offer == 's/default'")
    return {row["task"]: (row["value"], row["se"]) for _, row in rows.iterrows()}


def test_a_priority_tier_waits_as_cobham_says() -> None:
    """Half again the price to go first: the urgent learn in the first period that it is worth it.

    Cobham (1954): W₁ = ρ/(1 − ρ₁) = 1.142857 s, W₂ = W₁/(1 − ρ) = 5.714286 s. Batch means, six
    standard errors, each less than 2.5% of the mean.
    """
    result = queue(1e-3, level=0, rate=1.5)
    periods = 26
    assert held(result, "s/tier", "urgent") == [0] + [1] * (periods - 1)
    assert held(result, "s/tier", "other") == [0] * periods
    found = waits_of(result)
    for task, exact in (("urgent", 0.8 / 0.7), ("other", 0.8 / 0.7 / 0.2)):
        value, error = found[task]
        assert error < 0.025 * exact
        assert abs(value - exact) < 6 * error
    price = result.summary().query("task == 'urgent' and offer == 's/default'")
    assert price[price["metric"] == "price"]["value"].item() == pytest.approx(1.5)


def test_an_asynchronous_tier_stands_behind_everybody() -> None:
    """Half price within a day, level 7: who does not mind takes it, at Cobham's second wait."""
    result = queue(0.0, rate=0.5, within="24 h")
    assert held(result, "s/tier", "other") == [1] * 26
    assert held(result, "s/tier", "urgent") == [0] * 26
    found = waits_of(result)
    for task, exact in (("urgent", 0.8 / 0.7), ("other", 0.8 / 0.7 / 0.2)):
        value, error = found[task]
        assert abs(value - exact) < 6 * error
    price = result.summary().query("metric == 'price' and offer == 's/default'")
    assert price.set_index("task")["value"]["other"] == pytest.approx(0.5)


def test_whoever_cannot_wait_takes_no_asynchronous_tier() -> None:
    """A deadline of 60 s: an answer within a day is worth nothing to its buyer."""
    tier = {"batch": {"rate": 0.5, "within": "24 h"}}
    task = asking(2.0, deadline=60.0, customers=5)
    result = w.run(plan(task, server(contracts=tier), 1), seed=1)
    assert held(result, "s/batch") == [0]


# --- what does not change ----------------------------------------------------------------------


def test_customers_alone_change_nothing() -> None:
    """Where nobody offers a contract it does not matter who brings a task."""
    plain, crowd = (
        w.run(plan(asking(2.0, **more), server()), seed=3)
        for more in ({}, {"customers": 70, "usage": w.Exponential(1.0)})
    )
    assert plain.digest == crowd.digest
    assert plain.contracts.empty


def test_a_contract_that_nobody_takes_changes_no_trade() -> None:
    """The same rows, but for the customer."""
    dear: Any = {"dear": {"fee": 1e6, "quota": 1.0}}
    base: Any = {"slots": 2, "speed": 1.0, "refund_late": 0.5}
    task = asking(2.0, deadline=w.Exponential(4.0), customers=9, value=w.Exponential(2.0))
    extra: list[dict[str, Any]] = [{}, {"contracts": dear}]
    without, with_ = (
        w.run(plan(task, server(**base, **more)), seed=3, record="trades").trades for more in extra
    )
    assert (with_["contract"] == "none").all()
    assert without.equals(with_.drop(columns=["customer", "contract"]))


@pytest.mark.parametrize("search_cost", [0.0, 0.05])
def test_a_contract_at_list_price_changes_nothing(search_cost: float) -> None:
    """Rate 1 and no other term: whoever holds it chooses and pays as without, searching or not."""
    from walras.market.engine import Engine
    from walras.market.periods import take_contracts

    task = asking(2.0, choice=w.Logit(0.4), customers=3)
    sellers = [server(1.0 + 0.1 * j, name=f"s{j}") for j in range(3)]
    sellers[1] = server(1.1, name="s1", contracts={"list": {}})
    platform = {**TERMS, "search_cost": search_cost}
    found: list[Any] = []
    for holds in (-1, 0):
        kept: list[Any] = []
        engine = Engine(plan(task, sellers, platform=platform), seed=4, keep=kept.append)
        take_contracts(engine.state, 0, np.full(3, holds))
        engine.advance(200.0)
        engine.flush()
        found.append(kept[0])
    without, with_ = found
    assert (with_["contract"] >= 0).any()
    assert (with_["offer"] == without["offer"]).all()
    assert (with_["price"] == without["price"]).all()
    np.testing.assert_allclose(with_["utility"], without["utility"], rtol=1e-12, atol=1e-12)


def test_a_run_folder_keeps_who_holds_what(tmp_path: Any) -> None:
    seller = server(contracts={"flat": {"fee": 1.0, "quota": "unlimited"}})
    result = w.run(plan(asking(2.0, customers=10), seller), seed=1)
    again = w.Result.load(result.save(tmp_path / "run"))
    assert again.contracts.equals(result.contracts)
    assert again.contracts.attrs["units"]["fee"] == "USD"
    assert w.from_toml(w.to_toml(result.market)) == result.market


def test_submitted_tasks_are_under_contract_too() -> None:
    """A process's task is brought by a customer of its class, and costs it nothing more."""
    paid: list[float] = []

    def visitor(economy: Any) -> Any:
        yield economy.clock.timeout(10.0)
        for offer in (None, "s/default"):
            outcome = yield economy.submit(w.Task("ask", child=len(paid), offer=offer))
            paid.append(outcome.paid)

    seller = server(contracts={"flat": {"fee": 1.0, "quota": "unlimited"}})
    w.run(plan(asking(2.0, customers=10), seller), seed=1, processes=[visitor])
    assert paid == [0.0, 0.0]


# --- errors ------------------------------------------------------------------------------------

FILE = """
[[tasks]]
name = "ask"
arrivals = {kind = "poisson", rate = 1}
value = 1
[[sellers]]
name = "one"
accuracy = 0.9
[sellers.contracts.sub]
fee = 20
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fee = 20", "level = 0", 'does not honour; make it "priority"'),
        ("\n[[tasks]]", '\nmechanism = "second_score"\n[[tasks]]', "does not use"),
        ("fee = 20", "fee = -1", "fee"),
        ("fee = 20", "fees = 20", "did you mean `fee`?"),
        ("value = 1", "value = 1\nusage = 0", "usage must have a mean above 0"),
        ('{kind = "poisson", rate = 1}', '{kind = "closed", users = 2, think_time = 1}\n'
         "customers = 3", "those of its users"),
        ("accuracy = 0.9", 'accuracy = 0.9\ndiscipline = "priority"\n'
         'contracts = {a = {level = 0}}\n[quotes]\nlatency = "average"', "tell no levels apart"),
    ],
)  # fmt: skip
def test_the_words_of_an_error(old: str, new: str, words: str) -> None:
    text = FILE.replace(old, new)
    if "[quotes]" in text:
        text = text.partition("[sellers.contracts")[0]
    found = check(text)
    assert found.market is None
    assert any(words in f"{p.message} {p.hint}" for p in found.problems), found.problems


def test_contracts_beside_a_python_choice_are_refused() -> None:
    seller = server(contracts={"flat": {"fee": 1.0}})
    with pytest.raises(w.BadInputError, match="does not know contracts"):
        plan(asking(1.0, choice=lambda ask, quotes: None), seller)


def test_fees_beyond_the_range_stop_the_run() -> None:
    """A million customers who pay a million each: an error, and no integer wraps around."""
    from walras.market.engine import Engine, LedgerOverflowError
    from walras.market.periods import take_contracts

    seller = server(contracts={"flat": {"fee": 1e6, "quota": "unlimited"}})
    engine = Engine(plan(asking(1.0, customers=1_000_000), seller), seed=1)
    take_contracts(engine.state, 0, np.zeros(1_000_000, np.int64))
    with pytest.raises(LedgerOverflowError):
        engine.advance(1.0)


def test_ways_to_end_that_give_quota_back() -> None:
    """Leaving and failing give back what was taken, but not into another period."""
    from walras.market.engine import Engine
    from walras.market.periods import take_contracts

    task = w.TaskClass("ask", w.Replay(times=[0.0, 1.0, 2.0]), output_tokens=10.0, value=9.0,
                       patience=4.0)  # fmt: skip
    seller = w.Seller("s", accuracy=1.0, contracts={"c": {"quota": 100.0}})
    for later, left in ((0, 100.0), (1, 70.0)):
        kept: list[Any] = []
        engine = Engine(plan(task, seller), seed=1, keep=kept.append)
        take_contracts(engine.state, 0, np.zeros(1, np.int64))
        engine.advance(3.0)
        assert engine.state.customers["quota"].tolist() == [70.0]
        engine.state.clock[0]["period"] += later
        engine.begin_outage(0, "fail", 3.0)
        engine.advance(20.0)
        engine.flush()
        assert sorted(kept[0]["status"]) == [RENEGED, RENEGED, FAILED]
        assert engine.state.customers["quota"].tolist() == [left]


# --- the scenario ------------------------------------------------------------------------------


def test_the_scenario_tells_its_story() -> None:
    """Each of the five ways to buy has its customers, and those who buy by success are the hard."""
    market = w.load("contracts", ["run.until=90 d", "run.epoch=30 d"])
    result = w.run(market, seed=2)
    rows = result.contracts[result.contracts["period"] == 2]
    holds = rows.set_index(["task", "contract"])["customers"]
    assert 3 <= holds["chat", "app/plus"] <= 45
    assert holds["agents", "api/first"] == 40
    assert holds["background", "none"] == 60
    assert holds["documents", "api/batch"] == 15
    assert holds["easy", "none"] == 10
    assert holds["hard", "desk/resolved"] == 10
    wait = result.summary().query("metric == 'wait' and offer == 'api/default'")
    waits = wait.set_index("task")["value"]
    assert waits["agents"] < 0.5 * waits["background"] < 0.05 * waits["documents"]
