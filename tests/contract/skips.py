"""The skips that are allowed: (test, capability that may be missing).

A test skips itself with the capability in its reason; whatever is not listed here fails.
"""

# A cluster whose nodes have no driver publishes no devices to claim.
_CLAIMING = (
    "test_a_slice_says_whose_devices_where",
    "test_a_class_selects_by_driver",
    "test_a_pods_claim_is_made_allocated_and_reserved",
    "test_a_claim_ties_its_pod_to_the_node_of_the_devices",
    "test_devices_are_given_back_while_a_finalizer_holds_the_pod",
    "test_two_pods_never_hold_one_device",
    "test_more_devices_than_there_are_wait",
    "test_a_class_nobody_made_is_named",
    "test_a_missing_template_is_told_and_waited_for",
    "test_a_quota_counts_claimed_devices",
    "test_the_content_of_a_template_stands",
)

ALLOWED: tuple[tuple[str, str], ...] = (
    # Needs progress notifications of etcd on demand, which older ones do not give.
    ("test_watching.py::test_watch_can_begin_with_a_list_in_itself", "watch list"),
    # From 1.36 on the kubelet tells which devices a container holds; before, only node agents know.
    (
        "test_running.py::test_status_names_the_devices_a_container_holds",
        "allocatedResourcesStatus",
    ),
    (
        "test_ending.py::test_devices_stay_named_after_the_end",
        "allocatedResourcesStatus",
    ),
    *((f"test_claiming_devices.py::{test}", "dra driver") for test in _CLAIMING),
)
