"""What hangs below an object's own path: logs, evictions, bindings, ways into its containers.

Status and finalize are ordinary writes through another door and stay with the verbs.
"""

from provisioning.sandbox import deleting, errors, reading
from provisioning.sandbox.conditions import with_condition
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.http import executing, forwarding, proxying
from provisioning.sandbox.http.executing import Executing
from provisioning.sandbox.http.forwarding import Forwarding
from provisioning.sandbox.http.relaying import Relaying
from provisioning.sandbox.http.requests import Request, Target
from provisioning.sandbox.http.responses import TEXT, Response, Stream, json_response
from provisioning.sandbox.http.tunnelling import Tunnelling
from provisioning.sandbox.kinds import NODES, PODS
from provisioning.sandbox.kubelets import reaching, reading_logs
from provisioning.sandbox.kubelets.reading_logs import LogOptions
from provisioning.sandbox.objects import Json, spec, uid_of
from provisioning.sandbox.raising import Raised
from provisioning.sandbox.scheduling import binding
from provisioning.sandbox.store import Stored
from provisioning.sandbox.times import parse

_EVICTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}


Below = Response | Stream | Executing | Forwarding | Relaying | Tunnelling


async def answer(raised: Raised, request: Request, target: Target) -> Below | None:
    """The answer below an object; None when the ordinary verbs give it."""
    match (request.method, target.subresource):
        case ("GET" | "POST", "exec"):
            return executing.answer(raised, request, target)
        case ("GET" | "POST", "portforward"):
            return forwarding.answer(raised, request, target)
        case (_, "proxy"):
            return await proxying.answer(raised, request, target)
        case ("GET", "log"):
            return _log(raised, request, target)
        case ("POST", "eviction"):
            return _evict(raised, request, target)
        case ("POST", "binding"):
            return _bind(raised, request, target)
        case (_, "log" | "eviction" | "binding" | "exec" | "portforward"):
            raise errors.method_not_allowed()
    return None


def _pod(raised: Raised, target: Target) -> Stored:
    return reading.get(
        raised.cluster.store, kind=PODS, namespace=target.namespace, name=target.name
    )


def _log(raised: Raised, request: Request, target: Target) -> Response | Stream:
    pod = _pod(raised, target).object
    options = _log_options(request)
    kubelet = raised.kubelets.get(spec(pod).get("nodeName") or "")
    if kubelet is None:
        # A pod without a node has no log, which is no error.
        reaching.container_of(pod, options.container)
        return Response(b"", 204, content_type=TEXT)
    launch = reading_logs.launch_of(kubelet, pod, options)
    if options.follow:
        return Stream(reading_logs.follow(kubelet, launch, options), content_type=TEXT)
    return Response(reading_logs.text(kubelet, launch, options), content_type=TEXT)


def _log_options(request: Request) -> LogOptions:
    query = request.query
    since = query.text("sinceTime")
    return LogOptions(
        container=query.text("container"),
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        timestamps=query.flag("timestamps"),
        tail=query.number("tailLines"),
        since=parse(since) if since else None,
        since_seconds=query.number("sinceSeconds"),
        limit_bytes=query.number("limitBytes"),
    )


def _evict(raised: Raised, request: Request, target: Target) -> Response:
    """A delete that says on the pod why it happens."""
    store = raised.cluster.store
    stored = _pod(raised, target)
    given: Json = request.document().get("deleteOptions") or {}
    marked = with_condition(stored.object, _EVICTED, at=raised.cluster.now())
    if marked is not stored.object:
        store.put(PODS, marked)
    options = DeleteOptions(
        grace_seconds=given.get("gracePeriodSeconds"),
        preconditions={"uid": uid_of(stored.object), **(given.get("preconditions") or {})},
    )
    deleting.delete(
        raised.cluster, kind=PODS, namespace=target.namespace, name=target.name, options=options
    )
    return json_response(_success(), 201)


def _bind(raised: Raised, request: Request, target: Target) -> Response:
    """Put a pod on a node, as a scheduler does."""
    stored = _pod(raised, target)
    node = str((request.document().get("target") or {}).get("name") or "")
    if spec(stored.object).get("nodeName"):
        why = f'pod {target.name} is already assigned to node "{spec(stored.object)["nodeName"]}"'
        raise errors.conflict(PODS, target.name, why)
    if raised.cluster.store.get(NODES, "", node) is None:
        raise errors.not_found(NODES, node)
    binding.bind(raised.cluster, stored, node=node)
    return json_response(_success(), 201)


def _success() -> Json:
    head: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return {**head, "status": "Success", "code": 201}
