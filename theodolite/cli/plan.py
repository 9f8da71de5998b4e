"""theodolite budget, flight, forecast, scenario: what to spend and when, what will come; from the last fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Seed, Workspace, open_study

if TYPE_CHECKING:
    from theodolite.study import Study

Periods = Annotated[
    int | None, typer.Option("--periods", min=1, help="How many periods ahead; a quarter of a year otherwise.")
]
Controls = Annotated[
    Path | None,
    typer.Option(
        "--controls",
        metavar="FILE",
        help="Controls of the periods ahead (date, geo, the controls); as a year ago otherwise.",
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the plan to a new csv that forecast and scenario read."),
]
PlanChart = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the plan to a new .png, .svg or .html file.")
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="NAME", help="Freeze it in the store as the plan of record of this name."),
]
TargetMroas = Annotated[
    float | None,
    typer.Option(help="Spend as long as the next money of a channel brings this much; a total is then the most."),
]
TargetIroas = Annotated[
    float | None,
    typer.Option(help="Spend as much as the whole plan can while it brings this much per money; a total as above."),
]
Aim = Annotated[
    str,
    typer.Option(
        help="What is made as large as possible of the profit: its mean; worst (its mean over the worst share "
        "--level of draws); cautious (its mean less --level standard deviations); goal (the chance of --goal)."
    ),
]
GroupBounds = Annotated[
    list[str] | None, typer.Option(metavar="A,B=LOW:HIGH", help="How much several channels may spend together.")
]
Bounds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHANNEL=LOW:HIGH",
        help="How far a channel may move: times business as usual (tv=0.8:1.2) or money (tv=10000EUR:50000EUR); "
        "with --by-geo in one geo too (tv@north=0.5:1).",
    ),
]
Ramps = Annotated[
    list[str] | None,
    typer.Option(metavar="SHARE", help="Largest change against business as usual, of all (0.2) or one (tv=0.1)."),
]
GeoBounds = Annotated[
    list[str] | None,
    typer.Option("--geo", metavar="A,B=LOW:HIGH", help="With --by-geo: how much a geo, or several, may spend."),
]


def budget(
    workspace: Workspace = HERE,
    total: Annotated[
        float | None, typer.Option(help="Money to spend over all periods; business as usual otherwise.")
    ] = None,
    periods: Periods = None,
    at_most: Annotated[
        bool, typer.Option("--at-most", help="The total is the most that may be spent, not what must be.")
    ] = False,
    bound: Bounds = None,
    fix: Annotated[list[str] | None, typer.Option(metavar="CHANNEL", help="Keep a channel as it is.")] = None,
    may_stop: Annotated[
        list[str] | None,
        typer.Option("--may-stop", metavar="CHANNEL", help="A channel may also be switched off altogether."),
    ] = None,
    others: Annotated[
        str, typer.Option(metavar="LOW:HIGH", help="How far every channel without a bound of its own may move.")
    ] = "0.5:1.5",
    group: GroupBounds = None,
    ramp: Ramps = None,
    geo: GeoBounds = None,
    iroas: Annotated[
        float | None, typer.Option(help="Least expected incremental revenue per money of the whole plan.")
    ] = None,
    target_mroas: TargetMroas = None,
    target_iroas: TargetIroas = None,
    by_geo: Annotated[bool, typer.Option("--by-geo", help="Let each geo's spend move on its own.")] = False,
    aim: Aim = "mean",
    level: Annotated[
        float | None, typer.Option(help="With --aim worst (0.1 otherwise) or cautious (1 otherwise).")
    ] = None,
    goal: Annotated[float | None, typer.Option(help="With --aim goal: the profit to reach, in money.")] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw now and advised to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Advise how to split a budget over channels, with what it should bring and how sure that is."""
    from theodolite import charting, plans
    from theodolite.cli import output, plan_tables

    study = open_study(workspace)
    currency = study.config.study.currency
    charting.refuse(chart)
    shared, own = plans.ramps_of(ramp or ())
    found = study.budget(
        total,
        periods=periods,
        at_most=at_most,
        bounds=plans.bounds_of(bound or (), fix or (), may_stop or (), currency),
        otherwise=plans.bound_of(others, currency),
        groups=plans.together(group or (), "--group"),
        geos=plans.together(geo or (), "--geo"),
        ramp=shared,
        ramps=own,
        iroas=iroas,
        target_mroas=target_mroas,
        target_iroas=target_iroas,
        by_geo=by_geo,
        aim=aim,
        level=level,
        goal=goal,
    )
    if json:
        output.as_json(found.to_dict())
    else:
        plan_tables.budget(found, study.config.study.period, study.config.study.margin is not None)
    charting.save(found.chart, chart)
    raise typer.Exit(0 if found.converged else 1)


def flight(
    workspace: Workspace = HERE,
    money: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL=MONEY",
            help="Plan this channel, with this money over all periods: times business as usual (tv=1.2) or money "
            "(tv=400000EUR). Otherwise every channel, with the money of business as usual.",
        ),
    ] = None,
    periods: Periods = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL=LOW:HIGH",
            help="What one period may spend: times the average planned period (tv=0:3) or money (tv=0EUR:50000EUR).",
        ),
    ] = None,
    others: Annotated[
        str, typer.Option(metavar="LOW:HIGH", help="The same for every channel without a bound of its own.")
    ] = "0.5:2",
    ramp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CHANNEL=]SHARE",
            help="Largest change from one period to the next, and from the last one of the data, as a share of the "
            "average planned period: 0.3 for all channels, tv=0.3 for one.",
        ),
    ] = None,
    pulse: Annotated[
        list[str] | None,
        typer.Option("--pulse", metavar="CHANNEL", help="A period of this channel may also spend nothing at all."),
    ] = None,
    dark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL=DATE[..DATE]",
            help="Spend nothing in the periods that begin on this day, or up to another.",
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANNEL=DATE:MONEY", help="What is settled already: tv=2026-01-05:20000EUR."),
    ] = None,
    after: Annotated[
        str,
        typer.Option(help="What is spent after the plan, into which it carries over: usual (as before), or nothing."),
    ] = "usual",
    out: PlanFile = None,
    chart: PlanChart = None,
    json: AsJson = False,
) -> None:
    """Advise when to spend each channel's money over the coming periods, and say what better timing is worth."""
    from theodolite import charting, flights
    from theodolite.cli import output, plan_tables

    charting.refuse(chart)
    flights.refuse(out)
    study = open_study(workspace)
    asked = flights.Asked(
        money=money or (),
        bounds=bound or (),
        others=others,
        ramps=ramp or (),
        pulses=pulse or (),
        dark=dark or (),
        fixed=fixed or (),
        after=after,
    )
    found = study.flight(asked, periods=periods)
    if json:
        output.as_json(found.to_dict())
    else:
        plan_tables.flight(found, study.config.study.period)
    charting.save(found.chart, chart)
    flights.save(found, out)
    if out is not None and not json:
        output.written({"plan": out})
    raise typer.Exit(0 if found.converged else 1)


def forecast(
    workspace: Workspace = HERE,
    periods: Periods = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="What is to be spent (date, geo, channel, spend), for the channels that it names.",
        ),
    ] = None,
    controls: Controls = None,
    seed: Seed = 0,
    record: Record = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="NAME",
            help="Hold what came in today's data against the plan of record of this name; predicts nothing new.",
        ),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the forecast to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Predict the KPI of the periods ahead, with business as usual or with a plan; or hold a plan against what came."""
    from theodolite import charting
    from theodolite.cli import output, plan_tables, record_tables

    charting.refuse(chart)
    study = open_study(workspace)
    if against is not None:
        if any(option is not None for option in (periods, plan, controls, record)) or seed:
            raise output.refused("--against reads a recorded plan: no other option of a forecast goes with it")
        raise typer.Exit(_against(study, against, chart, json))
    if record is not None:
        study.plans.refuse(record)
    found = study.forecast(periods, plan=plan, controls=controls, seed=seed)
    kept = None if record is None else study.plans.record(record, found)
    if json:
        output.as_json(found.to_dict() | ({} if kept is None else {"recorded": kept.to_dict()}))
    else:
        plan_tables.forecast(found, study.config.study.period, study.config.study.currency)
        record_tables.recorded(kept)
    charting.save(lambda: found.chart(study.panel), chart)
    raise typer.Exit(0 if found.converged else 1)


def _against(study: "Study", name: str, chart: Path | None, json: bool) -> int:
    """Print what came against a plan of record; the exit code."""
    from theodolite import charting
    from theodolite.cli import output, record_tables

    plan, found = study.plans.find(name), study.plans.against(name)
    if json:
        output.as_json({"plan": plan.to_dict()} | found.to_dict())
    else:
        record_tables.against(plan, found, study.config.study.period)
    charting.save(found.chart, chart)
    return 1 if found.alert or not found.converged else 0


def scenario(
    plan: Annotated[
        Path,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="What is to be spent (date, geo, channel, spend); channels that it does not name go on as usual.",
        ),
    ],
    workspace: Workspace = HERE,
    controls: Controls = None,
    seed: Seed = 0,
    record: Record = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the change to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what a plan of spend would change against business as usual, and how sure that is."""
    from theodolite import charting
    from theodolite.cli import output, plan_tables, record_tables

    charting.refuse(chart)
    study = open_study(workspace)
    if record is not None:
        study.plans.refuse(record)
    found = study.scenario(plan, controls=controls, seed=seed)
    kept = None if record is None else study.plans.record(record, found)
    if json:
        output.as_json(found.to_dict() | ({} if kept is None else {"recorded": kept.to_dict()}))
    else:
        names = study.panel.channels
        plan_tables.scenario(found, names, study.config.study.period, study.config.study.margin is not None)
        record_tables.recorded(kept)
    charting.save(found.chart, chart)
    raise typer.Exit(0 if found.plan.converged else 1)
