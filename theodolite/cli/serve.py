"""theodolite serve and keys: the local web app, and who may ask it from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Workspace, open_study

keys = typer.Typer(help="API keys of the served workspace: add, list, revoke.", no_args_is_help=True)


def serve(
    workspace: Workspace = HERE,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 8765 or a free one otherwise, 0 a free one.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A name under which it is reached, beside those of this machine."),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy that signs people in: its X-Forwarded-User is believed."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Serve the web app and the REST API of a workspace, on this machine only unless told otherwise."""
    from theodolite.cli import output

    try:
        from theodolite.app.serving import USUAL_PORT
        from theodolite.app.serving import serve as start
    except ModuleNotFoundError as missing:
        raise output.refused(f"serve needs the extra [app] ({missing.name}): pip install 'theodolite[app]'") from None
    from theodolite.app.settings import Settings

    open_study(workspace)
    settings = Settings(
        Path(workspace), host, USUAL_PORT if port is None else port, tuple(name or ()), tuple(proxy or ())
    )
    start(settings, any_port=port is None, browser=browser, say=output.say)


@keys.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who or what will use it; the name of all that it writes.")],
    role: Annotated[
        str, typer.Option(help="viewer reads, editor also begins work, approver also decides, admin also makes keys.")
    ] = "viewer",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Make an API key; it is shown once and kept as a hash only."""
    from theodolite.cli import output

    key, text = open_study(workspace).keys.add(name, role)
    if json:
        output.as_json({**key.to_dict(), "key": text})
        return
    output.say(f"{key.role} key {key.id} for {key.name}. It is not shown again:")
    output.say(text)


@keys.command("list")
def list_(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """List the API keys that open something."""
    from theodolite.cli import output

    found = open_study(workspace).keys.listed()
    if json:
        output.as_json({"keys": [key.to_dict() for key in found]})
        return
    rows = [[key.id, key.name, key.role, key.added_at[:10], key.added_by] for key in found]
    output.table("API keys", ["id", "name", "role", "made", "by"], rows)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """End an API key: it opens nothing from now on."""
    from theodolite.cli import output

    key = open_study(workspace).keys.revoke(key_id)
    if json:
        output.as_json({"revoked": key.to_dict()})
    else:
        output.say(f"Revoked key {key.id} of {key.name}.")
