"""A notebook: who gets the credit for an order, and who caused it. Open it with ``marimo edit``, or run it."""

import marimo

app = marimo.App(width="medium", app_title="Who gets the credit?")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    import pandas as pd

    from attribution import PathSpec, attribute, charts, read_paths
    from measurement.simulate import demo, simulate

    return PathSpec, attribute, charts, demo, mo, np, pd, read_paths, simulate


@app.cell
def _(mo):
    mo.md("""
    # Who gets the credit, and who caused it?

    A company whose truth is known: each order was caused by one channel, or by none. The journeys hold the touch that
    did it, and many touches that did nothing. People who are about to buy meet brand search on their way.

    Five models look at the same journeys. None of them can see the truth; you can.
    """)
    return


@app.cell
def _(demo, simulate):
    from dataclasses import replace

    world = simulate(
        replace(demo(seed=7), geos=("national",), population=(83e6,), trials=(), weeks=60, journey_weeks=6)
    )
    log, (start, end) = world.touchpoints, world.truth.dates[[-6, -1]]
    return end, log, start, world


@app.cell
def _(mo):
    lookback = mo.ui.slider(1, 60, value=30, label="Lookback, days", show_value=True)
    lookback
    return (lookback,)


@app.cell
def _(PathSpec, attribute, log, lookback, read_paths, start, world):
    days = lookback.value
    paths = read_paths(log, PathSpec(click_lookback_days=days, impression_lookback_days=days))
    panel = world.panel()
    spend = dict(zip(panel.channels, panel.spend[:, panel.dates >= start].sum(axis=(0, 1)).tolist(), strict=True))
    made = attribute(paths, ["first", "last", "linear", "markov:1", "shapley"], spend=spend, draws=50)
    return made, panel, spend


@app.cell
def _(made, np, pd, panel, spend, start, world):
    caused = {name: world.truth.increment(name, str(start)[:10], str(panel.dates[-1])[:10]) for name in panel.channels}
    truth = pd.Series({name: caused[name] / spend[name] for name in spend}, name="truth: incremental per euro")
    told = made.to_frame().pivot(index="channel", columns="model", values="roas").drop(index="(no touch)")
    table = told.join(truth).round(2)
    unseen = sorted(set(spend) - set(told.index))
    overstated = np.exp(np.log(told.div(truth.reindex(told.index), axis=0)).mean(axis=1)).sort_values(ascending=False)
    return overstated, table, unseen


@app.cell
def _(mo, overstated, table, unseen):
    worst = overstated.index[0]
    mo.vstack(
        [
            mo.md("## What each model says a euro returned, and what it did"),
            mo.ui.table(table.reset_index(), selection=None),
            mo.md(
                f"**{worst}** is overstated {overstated.iloc[0]:.1f} times on average, **{overstated.index[-1]}** "
                f"{overstated.iloc[-1]:.1f} times. No journey shows {' and '.join(unseen)}: they get nothing, whatever "
                "they do. Move the slider: credit moves, the truth does not."
            ),
        ]
    )
    return


@app.cell
def _(charts, made, mo):
    mo.vstack([mo.md("## The same as a picture, with intervals"), charts.of_credit(made)])
    return


@app.cell
def _(mo):
    mo.md("""
    ## What to take away

    - The intervals are narrow: there are many users. They say how far *chance* goes, not how far credit is from cause.
    - Models disagree less with each other than all of them do with the truth. A vote among them settles nothing.
    - What settles it is a test, and the model that simulates it: `theodolite reconcile`.
    """)
    return


if __name__ == "__main__":
    app.run()
