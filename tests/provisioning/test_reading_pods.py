"""What a pod says is read as it is meant, and odd pods spoil nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import podstatus
from provisioning.specs import Device
from tests.factories import provisioning as factory
from tests.factories.provisioning import MARKS, NOON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def test_a_running_pod_says_where_since_when_and_on_what() -> None:
    raw = factory.raw_pod(state=factory.running(), devices=["npu0", "npu1"])
    pod = podstatus.read_pod(raw, marks=MARKS)
    assert (pod.phase, pod.container_state, pod.node_name) == ("Running", "running", "node-1")
    assert pod.started_at == NOON
    assert pod.finished_at is None
    assert pod.devices == tuple(
        Device(resource_name=factory.RNGD, device_id=name, health="Healthy")
        for name in ("npu0", "npu1")
    )
    assert pod.has_finalizer
    assert not pod.is_deleting
    assert pod.attempt_no == 1


def test_an_ended_container_says_from_when_to_when() -> None:
    end = NOON + timedelta(seconds=90)
    raw = factory.raw_pod(phase="Failed", state=factory.terminated(NOON, end, code=137))
    pod = podstatus.read_pod(raw, marks=MARKS)
    assert (pod.started_at, pod.finished_at, pod.exit_code) == (NOON, end, 137)
    assert pod.is_over


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-15T03:00:00", "soon", "", None, 7],
)
def test_an_instant_that_cannot_be_believed_is_none(text: object) -> None:
    assert podstatus.instant_of(text) is None


def test_an_instant_with_microseconds_is_read() -> None:
    read = podstatus.instant_of("2026-03-15T03:00:00.123456Z")
    assert read == datetime(2026, 3, 15, 3, 0, 0, 123456, tzinfo=UTC)


def test_a_pod_nobody_can_place_says_why() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    raw = factory.raw_pod(phase="Pending", node="", conditions=[condition])
    pod = podstatus.read_pod(raw, marks=MARKS)
    assert pod.unschedulable_message == "0/1 nodes are available"
    assert not pod.node_name


def test_another_installations_pod_belongs_to_no_instance() -> None:
    raw = factory.raw_pod(state=factory.running())
    other = podstatus.read_pod(raw, marks=type(MARKS)(key="other", domain="other.test"))
    assert other.instance_id is None
    assert not other.has_finalizer


@pytest.mark.parametrize("missing", ["uid", "namespace", "name", "resourceVersion"])
def test_a_pod_without_identity_is_malformed(missing: str) -> None:
    raw = factory.raw_pod(state=factory.running())
    del raw["metadata"][missing]
    with pytest.raises(podstatus.MalformedPod):
        podstatus.read_pod(raw, marks=MARKS)


@given(status=JSON, spec=JSON, labels=JSON)
def test_whatever_else_a_pod_says_it_can_be_read(status: Any, spec: Any, labels: Any) -> None:
    identity = {"uid": str(uuid4()), "namespace": "n", "name": "p", "resourceVersion": "1"}
    raw = {"metadata": {**identity, "labels": labels}, "status": status, "spec": spec}
    assert podstatus.read_pod(raw, marks=MARKS).namespace == "n"
