"""Send a visitor who was just let in on to a notebook that lets them in as well.

JupyterLab takes a token from the first address and keeps a cookie of its own from then on.
A header would be nicer, but the API server's pod proxy passes on no `Authorization`.  Who comes
here has paid with a ticket: they may open the instance's ports.
"""

from urllib.parse import quote, unquote_plus, urlsplit

from portal.access.hosts import Place
from provisioning import confiding, exposing
from provisioning.models import Instance


def way_on(*, place: Place, onward: str) -> str:
    """Return the address to go on to: with the token, where a notebook listens and has one."""
    token = token_for(place)
    return with_token(onward, token) if token else onward


def token_for(place: Place) -> str | None:
    """Return the token that goes to a port: none, unless it was opened as a notebook's."""
    if not exposing.is_notebook(instance_id=place.instance_id, port=place.port):
        return None
    return confiding.notebook_token(Instance.objects.get(pk=place.instance_id))


def with_token(onward: str, token: str) -> str:
    """Write the token into an address in the place of any other."""
    parts = urlsplit(onward)
    others = [
        pair
        for pair in parts.query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) != "token"
    ]
    query = "&".join([*others, f"token={quote(token, safe='')}"])
    return parts._replace(query=query).geturl()
