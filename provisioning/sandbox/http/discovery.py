"""What the API server says about itself: versions, groups, resources, health."""

from provisioning.sandbox import errors
from provisioning.sandbox.farm import Server
from provisioning.sandbox.http.responses import TEXT, Response, json_response
from provisioning.sandbox.kinds import GROUP_VERSIONS, KINDS, Kind
from provisioning.sandbox.objects import Json

_HEALTH = ("healthz", "readyz", "livez")


def answer(server: Server, path: str) -> Response | None:
    """The answer to a discovery path; None when the path names objects."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["version"]:
            return json_response(version(server))
        case [health, *_] if health in _HEALTH:
            return Response(b"ok", content_type=TEXT)
        case ["api"]:
            return json_response(_core_versions())
        case ["apis"]:
            return json_response(_groups())
        case ["api", version_]:
            return json_response(_resources("", version_))
        case ["apis", group]:
            return json_response(_group(group))
        case ["apis", group, version_]:
            return json_response(_resources(group, version_))
        case []:
            return json_response({"paths": ["/api", "/api/v1", "/apis", "/healthz", "/version"]})
    return None


def version(server: Server) -> Json:
    """What the server says of itself."""
    major, minor = server.version.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "gitVersion": f"{server.version}+sandbox",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def _core_versions() -> Json:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _groups() -> Json:
    groups = [_group(group) for group, _ in GROUP_VERSIONS if group]
    listed = [
        {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
        for one in groups
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _group(name: str) -> Json:
    versions = [version_ for group, version_ in GROUP_VERSIONS if group == name and group]
    if not versions:
        raise errors.unknown_resource()
    listed = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    group: Json = {"kind": "APIGroup", "apiVersion": "v1", "name": name}
    return {**group, "versions": listed, "preferredVersion": listed[0]}


def _resources(group: str, version_: str) -> Json:
    if (group, version_) not in GROUP_VERSIONS:
        raise errors.unknown_resource()
    kinds = [
        kind for kind in KINDS if kind.is_served and (kind.group, kind.version) == (group, version_)
    ]
    resources = [row for kind in kinds for row in _rows(kind)]
    if group == "authorization.k8s.io":
        resources.append(_review())
    name = f"{group}/{version_}" if group else version_
    head: Json = (
        {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    )
    return {**head, "groupVersion": name, "resources": resources}


def _rows(kind: Kind) -> list[Json]:
    row: Json = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced}
    row |= {"kind": kind.name, "verbs": list(kind.verbs)}
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    return [row] + [_subrow(kind, one) for one in kind.subresources]


def _subrow(kind: Kind, subresource: str) -> Json:
    name = f"{kind.plural}/{subresource}"
    row: Json = {"name": name, "singularName": "", "namespaced": kind.namespaced}
    match subresource:
        case "eviction":
            return {
                **row,
                "group": "policy",
                "version": "v1",
                "kind": "Eviction",
                "verbs": ["create"],
            }
        case "binding":
            return {**row, "kind": "Binding", "verbs": ["create"]}
        case "log":
            return {**row, "kind": kind.name, "verbs": ["get"]}
        case "exec" | "portforward" | "proxy":
            kinds = {"exec": "PodExecOptions", "portforward": "PodPortForwardOptions"}
            verbs = ["create", "get"]
            if subresource == "proxy":
                verbs = ["create", "delete", "get", "patch", "update"]
            return {**row, "kind": kinds.get(subresource, "PodProxyOptions"), "verbs": verbs}
        case "finalize":
            return {**row, "kind": kind.name, "verbs": ["update"]}
    return {**row, "kind": kind.name, "verbs": ["get", "patch", "update"]}


def _review() -> Json:
    return {
        "name": "selfsubjectaccessreviews",
        "singularName": "selfsubjectaccessreview",
        "namespaced": False,
        "kind": "SelfSubjectAccessReview",
        "verbs": ["create"],
    }
