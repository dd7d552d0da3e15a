"""The skips that are allowed: (test, capability that may be missing).

A test skips itself with the capability in its reason; whatever is not listed here fails.
"""

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
)
