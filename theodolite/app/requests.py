"""What every address reads of a request: who asks, whether they may, the study, the jobs, the fields of a form."""

from urllib.parse import parse_qsl

from fastapi import Request

from measurement.errors import DataError
from theodolite.app.desk import Desk
from theodolite.app.jobs import Jobs
from theodolite.app.who import Who
from theodolite.keys import Role, may


class NotAllowed(Exception):
    """Somebody asked for what their role does not include."""

    def __init__(self, needed: Role) -> None:
        super().__init__(f"This needs the role {needed} or a higher one.")
        self.needed = needed


def who_asks(request: Request) -> Who:
    """Whom the guard has let in."""
    who: Who = request.state.who
    return who


def need(request: Request, role: Role) -> Who:
    """Who asks, where they have a role.

    Raises:
        NotAllowed: Where they do not.
    """
    who = who_asks(request)
    if not may(who.role, role):
        raise NotAllowed(role)
    return who


def desk_of(request: Request) -> Desk:
    """The desk of the app."""
    desk: Desk = request.app.state.desk
    return desk


def jobs_of(request: Request) -> Jobs:
    """The jobs of the app."""
    jobs: Jobs = request.app.state.jobs
    return jobs


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; one that stands several times (boxes that are ticked) as its values with commas between."""
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=5_000)
    except ValueError:
        raise DataError("the form cannot be read: it is no UTF-8 text, or has too many fields") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}
