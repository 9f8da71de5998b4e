"""A Prefect flow for the monthly run (Prefect 3): the Python verbs, so that the flow's state says what came of it.

Serve it with ``python prefect_flow.py``; each run appears as completed, or as failed with what someone should look at.
"""

from prefect import flow, get_run_logger
from prefect.states import Completed, Failed

from theodolite import Study
from theodolite.cycle import run


@flow(name="theodolite-month")
def month(workspace: str):
    """Run the month's work on a workspace."""
    logger = get_run_logger()
    found = run(Study.open(workspace, actor="prefect"), say=logger.info)
    waiting = [f"{item.subject} {item.words}".strip() for item in found.state.review if item.pressing]
    alerts = [f"plan {plan.plan.name}: {plan.words()}" for plan in found.state.plans if plan.alert]
    return Completed() if found.ok else Failed(message="; ".join(alerts + waiting))


if __name__ == "__main__":
    month.serve(name="monthly", cron="0 6 3 * *", parameters={"workspace": "/srv/measurement/acme"})
