"""The operator's door, `/admin/...`: plant faults, break hardware, look at the state.

Only for tests and rehearsals; it has a token of its own and speaks plain JSON.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioning.sandbox import breaking, errors
from provisioning.sandbox.faults import Fault, Faults, Shape, When
from provisioning.sandbox.http.requests import Request
from provisioning.sandbox.http.responses import Response, json_response
from provisioning.sandbox.objects import Json
from provisioning.sandbox.raising import Raised
from provisioning.sandbox.registries import Login
from provisioning.sandbox.times import Clock

Handler = Callable[..., Json]
_FAULT_FIELDS = frozenset(
    {
        "shape", "cluster", "verbs", "resource", "count", "for_seconds", "when", "code", "reason",
        "message", "retry_after", "seconds",
    }
)  # fmt: skip


class Admin:
    """Answers the operator of a farm."""

    def __init__(
        self,
        clusters: Mapping[str, Raised],
        *,
        planted: Faults,
        clock: Clock,
        check: Callable[[Request], None],
    ) -> None:
        self._clusters = clusters
        self._faults = planted
        self._clock = clock
        self._check = check
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", r"/admin/state", self._state),
            ("GET", r"/admin/faults", self._list_faults),
            ("POST", r"/admin/faults", self._plant),
            ("DELETE", r"/admin/faults", self._lift_all),
            ("DELETE", r"/admin/faults/(\d+)", self._lift),
            ("POST", r"/admin/clusters/([^/]+)/watches/(cut|silence|expire)", self._watches),
            ("POST", r"/admin/clusters/([^/]+)/nodes/([^/]+)/(lose|unready|return)", self._node),
            ("POST", r"/admin/clusters/([^/]+)/nodes/([^/]+)/devices", self._device),
            ("POST", r"/admin/clusters/([^/]+)/nodes/([^/]+)/refuse-admission", self._admission),
            (
                "POST",
                r"/admin/clusters/([^/]+)/pods/([^/]+)/([^/]+)/(evict|preempt|exit)",
                self._pod,
            ),
            ("POST", r"/admin/clusters/([^/]+)/images", self._image),
            ("POST", r"/admin/clusters/([^/]+)/registries", self._registry),
        )

    def answer(self, request: Request) -> Response:
        """The answer to one request of the operator."""
        self._check(request)
        body = request.document() if request.body.strip() else {}
        for method, pattern, handler in self._routes:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return json_response(
                    handler(*match.groups(), **({"body": body} if method == "POST" else {}))
                )
        raise errors.unknown_path()

    def _raised(self, name: str) -> Raised:
        if name not in self._clusters:
            raise errors.bad_request(f"no cluster named {name}")
        return self._clusters[name]

    def _state(self) -> Json:
        told = {name: breaking.state_of(raised) for name, raised in self._clusters.items()}
        return {"clusters": told, **self._list_faults()}

    def _list_faults(self) -> Json:
        return {"faults": [_told(fault) for fault in self._faults.planted()]}

    def _plant(self, body: Json) -> Json:
        fault = self._faults.plant(_fault(body, now=self._clock.monotonic()))
        if fault.shape is Shape.DOWN:
            # Whoever watches a server that goes down loses the connection too.
            for name, raised in self._clusters.items():
                if fault.cluster in ("", name):
                    breaking.cut_watches(raised)
        return _told(fault)

    def _lift_all(self) -> Json:
        return {"lifted": self._faults.lift()}

    def _lift(self, fault_id: str) -> Json:
        return {"lifted": self._faults.lift(int(fault_id))}

    def _watches(self, cluster: str, what: str, body: Json) -> Json:
        raised, resource = self._raised(cluster), str(body.get("resource") or "")
        acts = {
            "cut": breaking.cut_watches,
            "silence": breaking.silence_watches,
            "expire": breaking.expire_history,
        }
        return {"watches": acts[what](raised, resource)}

    def _node(self, cluster: str, node: str, what: str, body: Json) -> Json:
        raised = self._raised(cluster)
        kubelet = breaking.kubelet_of(raised, node)
        if what == "lose":
            breaking.lose_node(kubelet)
        elif what == "unready":
            message = str(body.get("message") or "container runtime is down")
            breaking.unready_node(raised, kubelet, message=message)
        else:
            breaking.return_node(raised, kubelet, rebooted=bool(body.get("rebooted")))
        return {"node": node, "online": kubelet.is_online}

    def _device(self, cluster: str, node: str, body: Json) -> Json:
        raised = self._raised(cluster)
        kubelet = breaking.kubelet_of(raised, node)
        changed = breaking.set_health(
            raised,
            kubelet,
            resource=_text(body, "resource"),
            device_id=_text(body, "id"),
            is_healthy=bool(body.get("healthy", False)),
        )
        return {"node": node, "allocatable": changed}

    def _admission(self, cluster: str, node: str, body: Json) -> Json:
        kubelet = breaking.kubelet_of(self._raised(cluster), node)
        devices = kubelet.ground.devices
        # Taking back one that has happened meanwhile takes back nothing.
        devices.refusals = max(0, devices.refusals + int(body.get("count", 1)))
        return {"node": node, "refusals": devices.refusals}

    def _pod(self, cluster: str, namespace: str, name: str, what: str, body: Json) -> Json:
        raised = self._raised(cluster)
        if what == "evict":
            message = str(body.get("message") or "The node was low on resource: memory.")
            breaking.evict(raised, namespace=namespace, name=name, message=message)
        elif what == "preempt":
            breaking.preempt(raised, namespace=namespace, name=name)
        else:
            code, reason = int(body.get("code", 1)), str(body.get("reason") or "")
            breaking.end_containers(
                raised, namespace=namespace, name=name, code=code, reason=reason
            )
        return {"pod": f"{namespace}/{name}"}

    def _image(self, cluster: str, body: Json) -> Json:
        raised, image = self._raised(cluster), _text(body, "image")
        breaking.set_image(raised, image=image, is_broken=bool(body.get("broken", True)))
        return {"image": image}

    def _registry(self, cluster: str, body: Json) -> Json:
        registries, prefix = self._raised(cluster).cluster.registries, _text(body, "prefix")
        is_private = bool(body.get("private", True))
        if is_private:
            registries.close(prefix, Login(_text(body, "username"), _text(body, "password")))
        else:
            registries.open(prefix)
        return {"prefix": prefix, "private": is_private}


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise errors.bad_request(f"{key} is required")
    return value


def _fault(body: Json, *, now: float) -> Fault:
    unknown = sorted(set(body) - _FAULT_FIELDS)
    if unknown or "shape" not in body:
        raise errors.bad_request(f"not a fault: {', '.join(unknown) or 'shape is missing'}")
    given: dict[str, Any] = dict(body)
    lasting = given.pop("for_seconds", None)
    try:
        given |= {"shape": Shape(given["shape"]), "when": When(given.get("when", When.BEFORE))}
    except ValueError as error:
        raise errors.bad_request(str(error)) from error
    given["verbs"] = tuple(given.get("verbs") or ())
    given["left"] = given.pop("count", None)
    return Fault(**given, until=now + float(lasting) if lasting is not None else None)


def _told(fault: Fault) -> Json:
    return {
        "id": fault.id,
        "shape": fault.shape,
        "cluster": fault.cluster,
        "verbs": list(fault.verbs),
        "resource": fault.resource,
        "left": fault.left,
    }
