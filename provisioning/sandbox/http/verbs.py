"""The verbs of the API: a request and its target in, an answer out.

Each handler reads parameters, makes one call into the cluster, and prints.
"""

from provisioning.sandbox import (
    applying,
    creating,
    deleting,
    errors,
    reading,
    selectors,
    updating,
)
from provisioning.sandbox.admission import podsecurity
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.http import documents
from provisioning.sandbox.http.requests import Request, Target
from provisioning.sandbox.http.responses import Response, Stream
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.objects import Json, dump, is_deleting, uid_of
from provisioning.sandbox.patching import reading as patch_reading
from provisioning.sandbox.reading import Page
from provisioning.sandbox.selectors import Selection
from provisioning.sandbox.store import Stored
from provisioning.sandbox.validation import causes
from provisioning.sandbox.watching import Watch, WatchOptions


def verb_of(request: Request, target: Target) -> str:
    """The verb as authorisers and faults know it."""
    match request.method:
        case "GET" | "HEAD" if target.name:
            return "get"
        case "GET" | "HEAD":
            return "watch" if request.query.flag("watch") else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if target.name else "deletecollection"
    return request.method.lower()


def get(cluster: Cluster, request: Request, target: Target) -> Response:
    """GET of one object."""
    stored = reading.get(
        cluster.store, kind=target.kind, namespace=target.namespace, name=target.name
    )
    return Response(stored.partial + b"\n") if request.wants_metadata_only else answer(stored)


def list_(cluster: Cluster, request: Request, target: Target) -> Response:
    """GET of a collection, or a page of it."""
    version = request.query.text("resourceVersion")
    if request.query.text("resourceVersionMatch") and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise causes.options_refusal("ListOptions", causes.forbidden("resourceVersionMatch", why))
    page = Page(
        limit=request.query.number("limit") or 0,
        continue_token=request.query.text("continue"),
        resource_version=version,
        partial=request.wants_metadata_only,
    )
    body = reading.list_page(
        cluster.store,
        cluster.history,
        kind=target.kind,
        selection=selection_of(request, target),
        page=page,
    )
    return Response(body)


def watch(cluster: Cluster, request: Request, target: Target) -> tuple[Watch, Stream]:
    """GET of the changes of a collection."""
    timeout = request.query.number("timeoutSeconds")
    options = WatchOptions(
        resource_version=request.query.text("resourceVersion"),
        timeout_seconds=float(timeout) if timeout else 1800.0,
        bookmarks=request.query.flag("allowWatchBookmarks"),
        send_initial_events=request.query.flag("sendInitialEvents"),
        partial=request.wants_metadata_only,
    )
    opened = cluster.watches.open(
        kind=target.kind, selection=selection_of(request, target), options=options
    )
    return opened, Stream(cluster.watches.stream(opened), on_leave=opened.cut)


def create(cluster: Cluster, request: Request, target: Target) -> Response:
    """POST to a collection."""
    body = documents.read(request, target)
    stored = creating.create(
        cluster,
        kind=target.kind,
        namespace=target.namespace,
        body=body,
        options=options_of(request, target),
    )
    warning = podsecurity.warning(cluster, stored.object) if target.kind is PODS else ""
    return answer(stored, code=201, warning=warning)


def update(cluster: Cluster, request: Request, target: Target) -> Response:
    """PUT of one object."""
    stored = updating.replace(
        cluster,
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        body=documents.read(request, target),
        options=options_of(request, target),
    )
    return answer(stored)


def patch(cluster: Cluster, request: Request, target: Target) -> Response:
    """PATCH, of whatever of the four kinds."""
    if request.content_type not in patch_reading.SUPPORTED:
        raise errors.unsupported_media_type()
    if request.content_type == patch_reading.APPLY:
        return _apply(cluster, request, target)
    if request.query.text("force"):
        misplaced = causes.forbidden("force", "may not be specified for non-apply patch")
        raise causes.options_refusal("PatchOptions", misplaced)
    stored = updating.patch(
        cluster,
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        content_type=request.content_type,
        body=request.json(),
        options=options_of(request, target),
    )
    return answer(stored)


def _apply(cluster: Cluster, request: Request, target: Target) -> Response:
    if not request.query.text("fieldManager"):
        missing = causes.required("fieldManager", "is required for apply patch")
        raise causes.options_refusal("PatchOptions", missing)
    applied = applying.apply(
        cluster,
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        body=documents.read_applied(request, target),
        options=options_of(request, target),
        force=request.query.flag("force"),
    )
    return answer(applied.stored, code=201 if applied.is_new else 200)


def delete(cluster: Cluster, request: Request, target: Target) -> Response:
    """DELETE of one object."""
    deletion = deleting.delete(
        cluster,
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        options=delete_options_of(request),
    )
    if target.kind.returns_deleted or is_deleting(deletion.stored.object):
        return answer(deletion.stored)
    return Response(dump(_success(deletion.stored)) + b"\n")


def delete_collection(cluster: Cluster, request: Request, target: Target) -> Response:
    """Delete all that is selected; answer with the list of what was there."""
    selection = selection_of(request, target)
    options = delete_options_of(request)
    chosen = [
        stored
        for stored in cluster.store.all(target.kind, target.namespace)
        if selection.holds(stored.object)
    ]
    for stored in chosen:
        namespace, name = stored.key
        deleting.delete(cluster, kind=target.kind, namespace=namespace, name=name, options=options)
    meta = {"resourceVersion": str(cluster.store.rv)}
    return Response(reading.list_body(target.kind, meta, chosen))


def answer(stored: Stored, code: int = 200, warning: str = "") -> Response:
    """An object as the body of an answer."""
    quoted = warning.replace('"', '\\"')
    headers = {"Warning": f'299 - "{quoted}"'} if warning else {}
    return Response(stored.document + b"\n", code, headers=headers)


def _success(stored: Stored) -> Json:
    kind = stored.kind
    details: Json = {"name": stored.key[1], **({"group": kind.group} if kind.group else {})}
    details |= {"kind": kind.plural, "uid": uid_of(stored.object)}
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return {**status, "status": "Success", "details": details}


def selection_of(request: Request, target: Target) -> Selection:
    """Which objects the request is about."""
    return selectors.select(
        target.kind,
        namespace=target.namespace,
        labels=request.query.text("labelSelector"),
        fields=request.query.text("fieldSelector"),
    )


def options_of(request: Request, target: Target) -> WriteOptions:
    """What the request says about its write."""
    agent = request.headers.get("user-agent", "unknown").partition("/")[0]
    return WriteOptions(
        dry_run=request.query.is_dry_run,
        manager=request.query.text("fieldManager") or agent,
        subresource=target.subresource,
    )


def delete_options_of(request: Request) -> DeleteOptions:
    """What the request says about its delete, in the URL or in the body."""
    body = request.document() if request.body.strip() else {}
    grace = request.query.number("gracePeriodSeconds")
    if body.get("gracePeriodSeconds") is not None:
        grace = body["gracePeriodSeconds"]
    if grace is not None and not isinstance(grace, int):
        raise errors.bad_request(
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds"
            " of type int64"
        )
    return DeleteOptions(
        grace_seconds=grace,
        preconditions=body.get("preconditions") or {},
        dry_run=request.query.is_dry_run or body.get("dryRun") == ["All"],
    )
