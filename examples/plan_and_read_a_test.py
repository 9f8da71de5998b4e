"""A notebook: plan a geo test, run it on simulated sales, read it. Open it with ``marimo edit``, or run it."""

import marimo

app = marimo.App(width="medium", app_title="Plan a test, and read it")


@app.cell
def _():
    from dataclasses import replace

    import marimo as mo
    import numpy as np

    from experiments import analyse, charts
    from experiments.planning.goal import Goal
    from experiments.planning.plan import design
    from measurement.simulate import geo, simulate

    return Goal, analyse, charts, design, geo, mo, np, replace, simulate


@app.cell
def _(mo):
    mo.md("""
    # Plan a test, and read it

    Sixteen towns, two years of weeks. You may switch one channel off in some of them for some weeks. Which towns, for
    how long, and what will you be able to see?

    Choose below; the plan, the test and its reading follow.
    """)
    return


@app.cell
def _(mo):
    weeks = mo.ui.slider(2, 8, value=4, label="Weeks without ads", show_value=True)
    towns = mo.ui.slider(2, 6, value=4, label="Towns at most", show_value=True)
    effect = mo.ui.slider(
        0.0, 10.0, step=0.5, value=5.0, label="What the ads really bring, % of sales", show_value=True
    )
    mo.vstack([weeks, towns, effect])
    return effect, towns, weeks


@app.cell
def _(geo, simulate):
    towns_panel = simulate(geo(n_geos=16, weeks=112, channels=("tv", "social"), seed=4, n_tests=0)).panel()
    history = towns_panel.part(slice(0, 104))
    return history, towns_panel


@app.cell
def _(Goal, design, history, towns, weeks):
    found = design(history, Goal(channel=("tv",), durations=(weeks.value,), geos=(2, towns.value)))
    plan = found.best
    return found, plan


@app.cell
def _(found, mo, plan):
    mo.md(f"""
    ## The plan

    {found.recommendation}

    The towns were drawn by lot among {len(plan.record().assignment.candidates)} sets of nearly the same quality.
    That is what the p-value below rests on.
    """)
    return


@app.cell
def _(analyse, effect, np, plan, replace, towns_panel):
    record = plan.record()
    treated = np.isin(towns_panel.geos, record.treatment_geos)
    during = (towns_panel.dates >= np.datetime64(record.start_date)) & (
        towns_panel.dates <= np.datetime64(record.end_date)
    )
    sales = towns_panel.outcome * np.where(np.outer(treated, during), 1 - effect.value / 100, 1.0)
    result = analyse(replace(towns_panel, kpis={towns_panel.kpi: sales}), record)
    lift = result.relative_lift
    return lift, result


@app.cell
def _(charts, effect, lift, mo, result):
    holds = lift.low <= -effect.value / 100 <= lift.high
    mo.vstack(
        [
            mo.md(f"""
    ## The test, read

    Sales of the treated towns changed by **{lift.estimate:+.1%}** (90 % interval {lift.low:+.1%} to {
                lift.high:+.1%}), p =
    {result.p_value:.3f}, grade {result.grade}. The truth is {-effect.value / 100:+.1%}, and the interval {
                "holds" if holds else "misses"
            } it. {
                "Zero lies outside: the effect is seen."
                if lift.high < 0 or lift.low > 0
                else "Zero lies inside: not seen."
            }
            """),
            charts.fit(result),
        ]
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Try

    - Set the truth to 0: how often does a test find something? (Nine intervals in ten should hold zero.)
    - Make the effect as small as the plan says it can find: four tests in five see it.
    - Half of that: most tests miss it, and an honest one says so with its interval.
    """)
    return


if __name__ == "__main__":
    app.run()
