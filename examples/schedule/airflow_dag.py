"""An Airflow DAG for the monthly run (Airflow 3): one task whose state says how it ended.

`theodolite cycle` exits with 0 when nothing is wrong, with 1 when someone should look (a plan alerts, a test
contradicts the model, a fit did not converge) and with 2 for bad input. Here 1 marks the task as skipped, and 2 fails
it. With Airflow 2.9 the two names are `airflow.decorators.dag` and `airflow.operators.bash.BashOperator`.
"""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

WORKSPACE = "/srv/measurement/acme"


@dag(schedule="0 6 3 * *", start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["measurement"])
def theodolite_month() -> None:
    """Run the month's work."""
    BashOperator(
        task_id="cycle",
        bash_command=f"theodolite cycle --workspace {WORKSPACE} --quiet --json",
        skip_on_exit_code=1,
        retries=0,
    )


theodolite_month()
