"""Whatever a tenant writes, a pod's manifest stays inside its shape.

Names, images, commands, variables, secrets and paths come from people who may want out of it.
The API server of the sandbox judges the result as a real one would.
"""

import json
import re
from base64 import b64decode
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from provisioning import attaching, confiding, images, manifests, mounting, names, registries
from provisioning.cluster.sealing import seal
from provisioning.errors import (
    IllegalMount,
    IllegalRegistryLogin,
    IllegalSecret,
    IllegalSpec,
    ImageNotAllowed,
)
from provisioning.launching import _check_text
from provisioning.manifests import pod_for, verbatim
from provisioning.models import Attempt, Instance, RegistryLogin
from provisioning.sandbox import kinds, shapes
from provisioning.sandbox.admission import podsecurity
from provisioning.sandbox.defaulting import filling
from provisioning.sandbox.objects import without_type
from provisioning.sandbox.validation import checking
from provisioning.specs import (
    ClaimMount,
    Confided,
    InstanceSpec,
    PodSpec,
    PullSecret,
    SecretText,
    VolumeMount,
)
from provisioning.states import SecretKind
from tests.factories.provisioning import MARKS, RNGD

LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# An etcd of the usual size takes no more in one request.
LARGEST = 1_500_000
POD_KEYS = {
    "restartPolicy", "automountServiceAccountToken", "enableServiceLinks", "serviceAccountName",
    "terminationGracePeriodSeconds", "securityContext", "tolerations", "containers", "volumes",
    "imagePullSecrets",
}  # fmt: skip
CONTAINER_KEYS = {
    "name", "image", "imagePullPolicy", "command", "env", "resources", "securityContext",
    "volumeMounts",
}  # fmt: skip

hostile = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="$()A{}\\\"'\n`;:/.-_", max_size=40),
    st.sampled_from(
        [
            "$(NPU_FARM_INSTANCE)", "$$(A)", "$(", "$", "$$$(HOME)$", '"},"hostPath":{"path":"/"}',
            "\n  privileged: true", "../../../../etc/shadow", "{{ .Values }}", "a" * 8192,
            "\u202egnp.sh", "\x7f\x1b[31m", "한국어 이름", "-rf /", "${IFS}", "%00", "\ud800",
        ]
    ),
)  # fmt: skip
variable = st.one_of(st.from_regex(ENV_NAME, fullmatch=True).map(lambda s: s[:60]), hostile)
secret_name = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    hostile,
)
path = st.one_of(
    st.from_regex(r"(/[a-z0-9._-]{1,8}){1,4}", fullmatch=True), hostile, st.just("/etc/passwd")
)
reference = st.one_of(
    st.from_regex(r"[a-z]{1,5}\.example/[a-z]{1,9}(/[a-z]{1,9})?:[a-z0-9]{1,9}", fullmatch=True),
    st.just(f"registry.example/bada/vision@sha256:{'a' * 64}"),
    hostile,
)


def expanded(text: str, variables: dict[str, str]) -> str:
    """What a kubelet makes of a command's word or a variable's value: its own rules, once more."""
    made, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            made += text[at]
            at += 1
        elif text[at + 1] == "$":
            made += "$"
            at += 2
        elif text[at + 1] == "(" and (end := text.find(")", at + 2)) >= 0:
            name = text[at + 2 : end]
            made += variables.get(name, f"$({name})")
            at = end + 1
        else:
            made += text[at : at + 2]
            at += 2
    return made


def spec_of(
    *,
    image: str,
    command: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    claims: tuple[ClaimMount, ...] = (),
    confided: Confided | None = None,
    pulled_with: PullSecret | None = None,
) -> PodSpec:
    instance_id = uuid4()
    name = names.pod_name(instance_id=instance_id, attempt_no=1)
    return PodSpec(
        marks=MARKS,
        namespace=MARKS.namespace(7),
        name=name,
        instance_id=instance_id,
        tenant_id=7,
        project_id=3,
        attempt_no=1,
        image=image,
        command=command,
        environment=environment,
        cpu_millicores=4000,
        memory_mib=1024,
        storage_gib=10,
        resource_name=RNGD,
        device_count=1,
        claims=claims,
        confided=confided,
        pulled_with=pulled_with,
    )


def accepted(manifest: dict[str, Any], kind: kinds.Kind = kinds.PODS) -> dict[str, Any]:
    """The object as the API server keeps it; raises when it is refused."""
    sent = json.loads(json.dumps(manifest))
    assert not shapes.wrong_types(kind, sent)
    known, unknown = shapes.known_part(kind, sent)
    assert not unknown
    filled = filling.fill(kind, without_type(known))
    checking.refuse_bad(kind, filled)
    return filled


def let_in(
    image: str,
    command: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    mounts: tuple[VolumeMount, ...],
    secrets: tuple[SecretText, ...],
) -> bool:
    """Whether the doors of a launch let it pass."""
    wish = InstanceSpec(
        tenant_id=7,
        project_id=3,
        account_id=1,
        name="vision",
        instance_type_slug="rngd-1",
        own_image=image,
        command=command,
        environment=environment,
    )
    try:
        _check_text(wish)
        images.check_reference(image)
        attaching.check_paths(mounts)
        confiding.check_secrets(secrets, variables=dict(environment))
    except (IllegalSpec, ImageNotAllowed, IllegalMount, IllegalSecret):
        return False
    return True


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    image=reference,
    command=st.lists(hostile, max_size=4).map(tuple),
    environment=st.lists(st.tuples(variable, hostile), max_size=4).map(tuple),
    paths=st.lists(path, max_size=3),
    secrets=st.lists(
        st.builds(SecretText, st.sampled_from(SecretKind), secret_name, hostile), max_size=3
    ).map(tuple),
    is_private=st.booleans(),
)
@example(
    image="r.example/a:1", command=("sh", "-c", "echo $(NPU_FARM_INSTANCE) $$"),
    environment=(("A", "$(B)"), ("B", "$$(A)")), paths=["/data"],
    secrets=(SecretText(SecretKind.ENV, "TOKEN", "$(A)"),), is_private=True,
)  # fmt: skip
def test_what_is_let_in_stays_inside_the_shape(
    image: str,
    command: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    paths: list[str],
    secrets: tuple[SecretText, ...],
    is_private: bool,
) -> None:
    mounts = tuple(VolumeMount(uuid4(), one) for one in paths)
    if not let_in(image, command, environment, mounts, secrets):
        return
    claims = tuple(ClaimMount(f"vol-{each.volume_id}", each.path) for each in mounts)
    confided = Confided(
        secret_name="it-a1",
        digest="d" * 64,
        variables=tuple(s.name for s in secrets if s.kind is SecretKind.ENV),
        files=tuple(s.name for s in secrets if s.kind is SecretKind.FILE),
    )
    spec = spec_of(
        image=image,
        command=command,
        environment=environment,
        claims=claims,
        confided=confided if secrets else None,
        pulled_with=PullSecret(secret_name="it-a1-registry", login_id=5) if is_private else None,
    )
    manifest = pod_for(spec)

    assert ("imagePullSecrets" in manifest["spec"]) is is_private
    assert len(json.dumps(manifest).encode()) < LARGEST
    body, meta = manifest["spec"], manifest["metadata"]
    assert set(body) <= POD_KEYS
    (container,) = body["containers"]
    assert set(container) <= CONTAINER_KEYS
    assert NAME.fullmatch(meta["name"])
    assert len(meta["name"]) < 64
    assert all(LABEL.fullmatch(v) and len(v) < 64 for v in meta["labels"].values())
    assert meta["finalizers"] == [MARKS.finalizer]
    _check_security(body, container)
    _check_volumes(body, container, claims)
    _check_environment(container, environment, secrets)
    told = {one["name"]: one.get("value", "(hidden)") for one in container["env"]}
    assert [expanded(word, told) for word in container.get("command", [])] == list(command)
    assert container["image"] == image
    assert not any(len(s.value) > 8 and s.value in json.dumps(body["containers"][0]["env"])
                   for s in secrets if s.value not in dict(environment).values())  # fmt: skip
    accepted(manifest)


host = st.one_of(st.from_regex(r"[a-z]{1,5}\.example(:[1-9][0-9]{0,3})?", fullmatch=True), hostile)


@settings(max_examples=300, deadline=None)
@given(where=host, username=hostile, password=hostile)
@example(where="r.example", username='"}', password='"},"x":{"auth":"')
@example(where="r.example", username="$(HOME)", password="p:a:s:s")
def test_a_login_that_is_let_in_is_read_back_as_it_was_and_names_nothing_in_the_pod(
    where: str, username: str, password: str
) -> None:
    try:
        registries.check_login(host=where, username=username, password=password)
    except IllegalRegistryLogin:
        return
    login = RegistryLogin(
        pk=5, host=where, username=username, password_sealed=seal({"password": password})
    )
    attempt = Attempt(instance=Instance(pk=uuid4(), tenant_id=7), no=1, pod_name="it-a1")
    attempt.namespace = MARKS.namespace(7)
    secret = confiding._secret(
        attempt, "it-a1-registry", registries.SECRET_TYPE,
        {registries.KEY: registries.content_of(login)}, MARKS,
    )  # fmt: skip
    kept = accepted(secret, kinds.SECRETS)
    assert set(kept["data"]) == {".dockerconfigjson"}
    (entry,) = json.loads(b64decode(kept["data"][".dockerconfigjson"]))["auths"].items()
    assert entry[0] == where
    assert set(entry[1]) == {"username", "password", "auth"}
    assert (entry[1]["username"], entry[1]["password"]) == (username, password)
    # A runtime parts them at the first colon.
    assert b64decode(entry[1]["auth"]).decode().split(":", 1) == [username, password]

    def pod(pulled_with: PullSecret | None) -> dict[str, Any]:
        spec = spec_of(image="r.example/a:1", command=(), environment=(), pulled_with=pulled_with)
        return pod_for(replace(spec, instance_id=UUID(int=1), name="it-a1"))

    with_login = pod(PullSecret(secret_name="it-a1-registry", login_id=login.pk))
    without = pod(None)
    assert with_login["spec"].pop("imagePullSecrets") == [{"name": "it-a1-registry"}]
    assert with_login["spec"] == without["spec"]
    noted = with_login["metadata"]["annotations"]
    assert noted.pop(MARKS.label("registry-login")) == "5"
    assert noted.keys() == without["metadata"]["annotations"].keys()


def test_another_login_makes_another_hash() -> None:
    def hash_with(login_id: int | None) -> str:
        pulled_with = PullSecret(secret_name="s", login_id=login_id) if login_id else None
        spec = spec_of(image="r.example/a:1", command=(), environment=(), pulled_with=pulled_with)
        spec = replace(spec, instance_id=UUID(int=1), name="x")
        return manifests.hash_of(pod_for(spec), spec)

    assert len({hash_with(1), hash_with(2), hash_with(None)}) == 3


def _check_security(body: dict[str, Any], container: dict[str, Any]) -> None:
    assert body["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
    }
    assert body["automountServiceAccountToken"] is False
    assert not [check(body) for check in podsecurity._checks("restricted") if check(body)]


def _check_volumes(
    body: dict[str, Any], container: dict[str, Any], claims: tuple[ClaimMount, ...]
) -> None:
    kinds_of = [set(volume) - {"name"} for volume in body.get("volumes", [])]
    assert all(each in ({"persistentVolumeClaim"}, {"secret"}) for each in kinds_of)
    mounted = [each["mountPath"] for each in container.get("volumeMounts", [])]
    assert mounted[: len(claims)] == [each.path for each in claims]
    assert mounted[len(claims) :] in ([], [mounting.SECRETS_PATH])
    for each in claims:
        assert each.path.startswith("/")
        assert ".." not in each.path.split("/")
        assert not any(attaching.is_inside(each.path, folder) for folder in attaching.SYSTEM_PATHS)


def _check_environment(
    container: dict[str, Any],
    environment: tuple[tuple[str, str], ...],
    secrets: tuple[SecretText, ...],
) -> None:
    told = container["env"]
    assert all(ENV_NAME.fullmatch(one["name"]) for one in told)
    assert len({one["name"] for one in told}) == len(told)
    literal = {one["name"]: one["value"] for one in told if "value" in one}
    for name, value in environment:
        if not name.startswith("NPU_FARM_"):
            assert expanded(literal[name], literal) == value
    hidden = {one["name"] for one in told if "valueFrom" in one}
    assert hidden == {s.name for s in secrets if s.kind is SecretKind.ENV}
    assert all(set(one) in ({"name", "value"}, {"name", "valueFrom"}) for one in told)


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet="$()AB \n", max_size=12), value=st.text(max_size=5))
def test_a_tenants_text_is_taken_by_its_letters(text: str, value: str) -> None:
    assert expanded(verbatim(text), {"A": value, "B": value, "AB": value}) == text
    assert manifests.plain(verbatim(text)) == text


@pytest.mark.parametrize(
    "reference",
    ["", "ubuntu", "ubuntu:24.04", "registry.example", "registry.example/vision",
     "registry.example/vision:1 --privileged", "registry.example/../vision:1",
     "registry.example/Vision:1", "http://registry.example/vision:1", "registry.example/v:1\n",
     "registry.example//v:1", "registry.example/v@sha256:abc", "a@b.example/v:1",
     f"registry.example/{'a' * 300}:1", "registry.example/v:", "-r.example/v:1"],
)  # fmt: skip
def test_what_is_no_whole_reference_is_no_image(reference: str) -> None:
    with pytest.raises(ImageNotAllowed):
        images.check_reference(reference)


def test_secret_values_are_in_no_part_of_a_pod() -> None:
    secrets = Confided(secret_name="it-a1", digest="0" * 64, variables=("TOKEN",), files=("key",))
    spec = spec_of(image="r.example/a:1", command=(), environment=(), confided=secrets)
    container = pod_for(spec)["spec"]["containers"][0]
    assert {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "it-a1", "key": "env.TOKEN"}},
    } in (container["env"])
    assert container["volumeMounts"] == [
        {"name": "secrets", "mountPath": mounting.SECRETS_PATH, "readOnly": True}
    ]


def test_other_values_make_another_hash_and_no_secrets_make_none() -> None:
    def hash_with(digest: str | None) -> str:
        confided = Confided(secret_name="s", digest=digest) if digest else None
        spec = spec_of(image="r.example/a:1", command=(), environment=(), confided=confided)
        spec = type(spec)(**{**vars(spec), "instance_id": UUID(int=1), "name": "x"})
        return manifests.hash_of(pod_for(spec), spec)

    assert len({hash_with("a" * 64), hash_with("b" * 64), hash_with(None)}) == 3
