"""Whatever a tenant writes into a wish, the pod stays inside its walls."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import launching, manifests, names, namespaces
from provisioning.errors import IllegalSpec
from provisioning.specs import InstanceSpec, NamespaceSpec
from tests.factories.provisioning import MARKS, NOON, pod_spec

HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["$(NPU_FARM_INSTANCE)", "$$(A)", "a\nb: c", '"}],"hostNetwork":true', "../../etc", "${PATH}"]
)
ENVIRONMENT = st.dictionaries(HOSTILE, HOSTILE, max_size=6).map(lambda found: tuple(found.items()))


def kubelet_expands(text: str, variables: dict[str, str]) -> str:
    """What the kubelet makes of `$(NAME)`, as its expansion rules have it."""
    out, i = [], 0
    while i < len(text):
        if text[i] == "$" and i + 1 < len(text):
            if text[i + 1] == "$":
                out.append("$")
                i += 2
                continue
            end = text.find(")", i)
            if text[i + 1] == "(" and end != -1:
                name = text[i + 2 : end]
                out.append(variables.get(name, text[i : end + 1]))
                i = end + 1
                continue
        out.append(text[i])
        i += 1
    return "".join(out)


@given(command=st.lists(HOSTILE, max_size=4).map(tuple), environment=ENVIRONMENT)
def test_a_tenants_text_changes_nothing_but_its_own_place(
    command: tuple[str, ...], environment: tuple[tuple[str, str], ...]
) -> None:
    plain = pod_spec()
    hostile = pod_spec(
        instance_id=plain.instance_id, name=plain.name, command=command, environment=environment
    )
    ours, theirs = manifests.pod_for(plain), manifests.pod_for(hostile)

    container: dict[str, Any] = theirs["spec"]["containers"][0]
    container.pop("command", None)
    container["env"] = ours["spec"]["containers"][0]["env"]
    del ours["metadata"]["annotations"], theirs["metadata"]["annotations"]
    assert theirs == ours


@given(text=HOSTILE)
def test_the_kubelet_hands_over_a_tenants_text_word_for_word(text: str) -> None:
    secret = {"NPU_FARM_INSTANCE": "leaked", "A": "leaked"}
    assert kubelet_expands(manifests.verbatim(text), secret) == text


def test_a_tenants_variable_does_not_hide_ours() -> None:
    pod = manifests.pod_for(pod_spec(environment=(("NPU_FARM_DEVICES", "99"), ("A", "b"))))
    variables = {v["name"]: v["value"] for v in pod["spec"]["containers"][0]["env"]}
    assert variables["NPU_FARM_DEVICES"] == "1"
    assert variables["A"] == "b"


def test_a_pod_asks_for_what_it_may_use_and_no_more() -> None:
    pod = manifests.pod_for(pod_spec(device_count=4))
    resources = pod["spec"]["containers"][0]["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["furiosa.ai/rngd"] == "4"


def test_a_pod_is_restricted() -> None:
    spec = manifests.pod_for(pod_spec())["spec"]
    container = spec["containers"][0]["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & spec.keys()


def test_a_pod_says_whose_it_is() -> None:
    spec = pod_spec()
    metadata = manifests.pod_for(spec)["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "npu-farm"
    assert metadata["labels"]["app.kubernetes.io/instance"] == "test0001"
    assert metadata["labels"]["npu-farm.test/instance"] == str(spec.instance_id)
    assert metadata["finalizers"] == ["npu-farm.test/metering"]


def test_the_hash_follows_the_pod_and_nothing_else() -> None:
    spec = pod_spec()
    same = manifests.pod_for(spec)
    other = manifests.pod_for(
        pod_spec(instance_id=spec.instance_id, name=spec.name, image="registry.local/other:1")
    )
    assert manifests.hash_of(same, spec) == manifests.hash_of(manifests.pod_for(spec), spec)
    assert manifests.hash_of(same, spec) != manifests.hash_of(other, spec)


def test_a_namespace_holds_its_walls_before_any_pod() -> None:
    spec = NamespaceSpec(marks=MARKS, name="npu-test0001-t1", tenant_id=1, devices=(("a.b/c", 8),))
    objects = {obj["kind"]: obj for obj in namespaces.objects_for(spec)}
    assert objects["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )
    assert objects["ResourceQuota"]["spec"]["hard"]["requests.a.b/c"] == "8"
    policies = [o for o in namespaces.objects_for(spec) if o["kind"] == "NetworkPolicy"]
    assert policies[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "169.254.0.0/16" in policies[1]["spec"]["egress"][1]["to"][0]["ipBlock"]["except"]


def test_the_api_servers_proxy_comes_past_the_wall_and_no_neighbour_does() -> None:
    spec = NamespaceSpec(
        marks=MARKS, name="npu-test0001-t1", tenant_id=1, proxy_sources=("192.0.2.7/32",)
    )
    (policy,) = [o for o in namespaces.objects_for(spec) if o["metadata"]["name"] == "allow-proxy"]
    (rule,) = policy["spec"]["ingress"]
    assert rule == {
        "from": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
            {"ipBlock": {"cidr": "192.0.2.7/32"}},
        ]
    }


@given(text=st.text(max_size=12))
def test_labels_that_are_not_ours_are_read_as_nothing(text: str) -> None:
    assert names.instance_id_of(text) is None or len(text) >= 32
    number = names.attempt_no_of(text)
    assert number is None or str(number) == text.lstrip("0") or number == 0


@pytest.mark.parametrize(
    "words",
    [
        {"name": ""},
        {"name": "x" * 64},
        {"environment": (("1A", "b"),)},
        {"environment": (("A=B", "c"),)},
        {"environment": (("A", "b"), ("A", "c"))},
        {"environment": (("A", "b\x00c"),)},
        {"command": ("x" * 10_000,)},
    ],
)
def test_a_wish_that_cannot_be_written_down_is_refused(words: dict[str, Any], db: None) -> None:
    spec = InstanceSpec(
        **{
            "tenant_id": 1,
            "project_id": 1,
            "account_id": 1,
            "name": "vision",
            "instance_type_slug": "rngd-1",
            "image_slug": "workspace",
            **words,
        }
    )
    with pytest.raises(IllegalSpec):
        launching.launch_instance(spec=spec, at=NOON)
