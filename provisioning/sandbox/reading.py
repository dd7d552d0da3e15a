"""Read one object, or a list of them in pages that show one moment.

Turns a request's parameters into bytes that are joined from what the store has
already serialised.
"""

import base64
import json
from bisect import bisect_right
from dataclasses import dataclass

from provisioning.sandbox import errors
from provisioning.sandbox.history import History
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, dump
from provisioning.sandbox.selectors import Selection
from provisioning.sandbox.store import Key, Store, Stored

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can"
    " start a new list without the continue parameter, or use the continue token in this response"
    " to retrieve the remainder of the results. Continuing with the provided token results in an"
    " inconsistent list - objects that were created, modified, or deleted between the time the"
    " first chunk was returned and now may show up in the list."
)

# The version in a token that goes on with whatever is there now.
_INCONSISTENT = -1


class BadVersion(ValueError):
    """A resourceVersion that is none."""


@dataclass(frozen=True)
class Page:
    """How much of a list is asked for, and from where."""

    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    # Only the metadata of each object is wanted.
    partial: bool = False


def get(store: Store, *, kind: Kind, namespace: str, name: str) -> Stored:
    """One object; refuses what is not there."""
    stored = store.get(kind, namespace, name)
    if stored is None:
        raise errors.not_found(kind, name)
    return stored


def list_page(
    store: Store, history: History, *, kind: Kind, selection: Selection, page: Page
) -> bytes:
    """One page of a list as the body of an answer."""
    objects, rv, start = _moment(store, history, kind=kind, selection=selection, page=page)
    chosen, rest = _cut(objects, selection=selection, start=start, limit=page.limit)
    meta: Json = {"resourceVersion": str(rv)}
    if rest:
        history.keep_snapshot(kind, selection.namespace, rv, objects)
        meta["continue"] = _encode(rv, chosen[-1].key)
        # Counting what is left would need the selectors run to the end: the server leaves it out.
        if not selection.labels and not selection.fields:
            meta["remainingItemCount"] = rest
    if page.partial:
        items = [stored.partial for stored in chosen]
        return _list("PartialObjectMetadataList", "meta.k8s.io/v1", meta, items)
    return list_body(kind, meta, chosen)


def list_body(kind: Kind, meta: Json, chosen: list[Stored]) -> bytes:
    """A list of objects as the body of an answer."""
    return _list(f"{kind.name}List", kind.api_version, meta, [stored.item for stored in chosen])


def _list(name: str, api_version: str, meta: Json, items: list[bytes]) -> bytes:
    head = f'{{"kind":"{name}","apiVersion":"{api_version}","metadata":'.encode()
    return b'%b%b,"items":[%b]}\n' % (head, dump(meta), b",".join(items))


def _moment(
    store: Store, history: History, *, kind: Kind, selection: Selection, page: Page
) -> tuple[list[Stored], int, Key | None]:
    if not page.continue_token:
        _refuse_future(store, page.resource_version)
        return store.all(kind, selection.namespace), store.rv, None
    rv, start = _decode(page.continue_token)
    if rv == _INCONSISTENT:
        return store.all(kind, selection.namespace), store.rv, start
    objects = history.snapshot(kind, selection.namespace, rv)
    if objects is None:
        fresh = _encode(_INCONSISTENT, start)
        raise errors.expired(_TOO_OLD, metadata={"continue": fresh})
    return objects, rv, start


def _cut(
    objects: list[Stored], *, selection: Selection, start: Key | None, limit: int
) -> tuple[list[Stored], int]:
    first = bisect_right(objects, start, key=lambda stored: stored.key) if start else 0
    if not limit:
        return [stored for stored in objects[first:] if selection.holds(stored.object)], 0
    chosen: list[Stored] = []
    for position in range(first, len(objects)):
        stored = objects[position]
        if not selection.holds(stored.object):
            continue
        if len(chosen) == limit:
            return chosen, len(objects) - position
        chosen.append(stored)
    return chosen, 0


def _refuse_future(store: Store, resource_version: str) -> None:
    try:
        wanted = parse_version(resource_version)
    except BadVersion as error:
        raise errors.bad_request(f"invalid resource version: {error}") from error
    if wanted > store.rv:
        raise errors.StatusError(
            code=504,
            reason="Timeout",
            message=f"Timeout: Too large resource version: {wanted}, current: {store.rv}",
            details={
                "causes": [
                    {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
                ],
                "retryAfterSeconds": 1,
            },
        )


def parse_version(text: str) -> int:
    """A resourceVersion as a number; nothing and 0 are the same."""
    if not text:
        return 0
    if not text.isdigit():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise BadVersion(f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text)


def _encode(rv: int, key: Key) -> str:
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": rv, "start": "\0".join(key)})
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _decode(text: str) -> tuple[int, Key]:
    try:
        token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, name = token["start"].split("\0")
        return int(token["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.bad_request(
            f"invalid continue token: continue key is not valid: {error}"
        ) from error
