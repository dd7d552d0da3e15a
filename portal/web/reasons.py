"""Reasons of states and decisions in plain words.

The domain gives a code; the page says what it means for the person who waits.  A code
without words here is shown as it is, with spaces, and a test finds it.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, Promise] = {
    # Wishes
    "launch_wished": _("Asked to start; a place is being looked for."),
    "start_wished": _("Asked to start again; a place is being looked for."),
    "stop_wished": _("Asked to stop."),
    "terminate_wished": _("Asked to go for good."),
    "lease_ended": _("Its time is up."),
    # Waiting for a place
    "no_capacity": _("Every healthy device of this family is in use; it starts when one is free."),
    "behind_others": _("Devices are free, and others have waited longer for them."),
    "too_large": _("No node has this many devices."),
    "no_pool": _("No cluster offers this family now."),
    "cluster_quota": _("The cluster's own quota is full; it is tried again."),
    "namespace_terminating": _("The cluster is still clearing up; it is tried again."),
    "cluster_denied": _("The cluster does not let us in; an operator has to look at it."),
    "credentials_refused": _(
        "The cluster does not accept our credentials; an operator has to look at it."
    ),
    "attempt_dropped": _("The last attempt was given up; another place is being looked for."),
    "not_scheduled": _("No node took the pod in time; it is back in the queue."),
    "volume_in_use": _("One of its volumes is attached to another instance."),
    "volume_on_silent_node": _(
        "One of its volumes is still attached on a node that does not answer; nobody else may"
        " write to it."
    ),
    "volume_lost": _("One of its volumes is lost, and what was on it: it cannot start."),
    "no_pool_beside_volumes": _("The cluster of its volumes has none of these devices now."),
    # Volumes
    "volume_wished": _("Asked for; the cluster is told."),
    "claim_pending": _("The cluster has not found room for it yet."),
    "waits_for_first_instance": _("Made when the first instance with it starts."),
    "growing": _("Growing."),
    "grows_when_started": _("It has its new size when the next instance with it starts."),
    "growth_refused": _("The storage does not let it grow; it keeps its size."),
    "delete_wished": _("Asked to go for good."),
    "deleted": _("Deleted."),
    "claim_deleted_outside": _("Somebody deleted it in the cluster; it goes when nobody uses it."),
    "claim_vanished": _("Somebody deleted it in the cluster; what was on it is gone."),
    "storage_vanished": _("The storage under it is gone."),
    "lost_with_cluster": _("Its cluster is lost, and what was on it with it."),
    # On the way
    "placed": _("A place was found."),
    "pod_created": _("The cluster has taken the pod."),
    "pod_adopted": _("The cluster has taken the pod."),
    "waiting_for_node": _("Waiting for a node."),
    "unschedulable": _("No node can take it at the moment."),
    "container_starting": _("The image is being fetched and the container started."),
    "image_not_pulled": _("The image cannot be fetched yet; it is tried again."),
    "container_started": _("The container runs."),
    # Trouble
    "node_unreachable": _(
        "Its node does not answer. What it does meanwhile is not charged unless proved."
    ),
    "node_lost": _("Its node is lost; another place is being looked for."),
    "cluster_lost": _("Its cluster is lost; another place is being looked for."),
    "pod_vanished": _("Its pod is gone from the cluster; another is being started."),
    "deleted_outside": _("Somebody deleted its pod in the cluster; another is being started."),
    "moved": _("It was asked to run elsewhere; another place is being looked for."),
    "preempted": _("The cluster took its place for something else; another is being started."),
    "drained": _("The cluster sent it away for maintenance; another is being started."),
    "node_shut_down": _("Its node was shut down; another is being started."),
    "device_unhealthy": _(
        "It runs, and one of its devices is reported unhealthy. Stop and start it to move."
    ),
    "no_such_product": _("No node of the farm has this kind of device any longer."),
    "disrupted_too_often": _("The cluster interrupted it too often, and it was given up."),
    "name_taken": _("Another pod has this name in the cluster."),
    "quota_conflict": _("The cluster's own quota was being written; it is tried again."),
    # What operators are told
    "not_started": _("It did not start in time."),
    "database_older": _(
        "The cluster has marks this database does not know; nothing of ours is deleted there."
    ),
    "database_restored": _("Brought right after the database was restored."),
    "pod_will_not_go": _("Its pod does not go."),
    "orphans_blocked": _("Pods carry our marks and are of no attempt we know; none is touched."),
    "namespace_stuck": _("A tenant's namespace has been going for more than ten minutes."),
    "watch_denied": _("The watcher is not let in; what is shown grows old."),
    "finalizers_forced": _("Pods were let go before their seconds were settled."),
    "evicted": _("The node sent it away; another is being started."),
    "disrupted": _("The cluster interrupted it; another is being started."),
    "device_not_admitted": _("The node did not hand out the device; it is tried again."),
    "no_room_on_node": _("The node had no room after all; it is tried again."),
    "out_of_memory": _("The container used more memory than it has."),
    "container_failed": _("The container ended with an error."),
    "too_many_attempts": _("It failed too often in a row and was given up."),
    "not_provisioned": _("The cluster did not take the pod in time."),
    "image_invalid": _("The image cannot be used."),
    "admission_refused": _("The cluster's rules forbid this pod."),
    "invalid_object": _("The cluster cannot make sense of this pod."),
    "cluster_refused": _("The cluster refused the pod."),
    "already_exists": _("Another pod has this name in the cluster."),
    "finished": _("The container has ended by itself."),
    # Why a request waits for a person
    "many_devices": _("It asks for more devices than are launched without a person."),
    "long_lease": _("It asks for a longer time than is launched without a person."),
    "no_end": _("It has no end time."),
    # What keeps a billing period open
    "period_not_over": _("The period is not over yet."),
    "no_evidence": _("A run has no proof up to the end of the period."),
    "quarantined": _("A usage fact was put aside and waits for an answer."),
    "unpriced": _("Device-seconds have no price."),
    "recompute_differs": _("The draft differs from what the ledger says now; draft it again."),
}

# Where these words say all there is, the message beside them is for programs and logs.
COMPLETE = frozenset({"database_older", "orphans_blocked"})


def in_words(code: str) -> Promise | str:
    """What a reason code means."""
    return WORDS.get(code, code.replace("_", " "))
