"""Refusals of provisioning, each a fact with a code.

The docstring is the message.  `retryable` tells whether the same call may succeed
later without anybody changing anything, `retry_after` in how many seconds.
"""

from typing import ClassVar


class ProvisioningError(Exception):
    """Something in provisioning refused."""

    code: ClassVar[str] = "provisioning_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        sentence = (type(self).__doc__ or "").strip()
        return f"{sentence} {self.detail}".strip()


class UnknownInstanceType(ProvisioningError):
    """There is no such instance type."""

    code = "unknown_instance_type"


class RetiredInstanceType(ProvisioningError):
    """This instance type is no longer offered."""

    code = "retired_instance_type"


class UnknownImage(ProvisioningError):
    """There is no such image, or it is no longer offered."""

    code = "unknown_image"


class UnknownAccount(ProvisioningError):
    """There is no such billing account."""

    code = "unknown_account"


class LeaseInPast(ProvisioningError):
    """The end of an instance must lie in the future."""

    code = "lease_in_past"


class IllegalSpec(ProvisioningError):
    """The instance cannot be described to a cluster."""

    code = "illegal_spec"


class IllegalTransition(ProvisioningError):
    """The instance cannot go there from its present state."""

    code = "illegal_transition"


class NoCapacity(ProvisioningError):
    """No cluster has enough free healthy devices now."""

    code = "no_capacity"
    retryable = True

    def __init__(
        self, detail: str = "", *, reason: str = "no_capacity", retry_after: float | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason


class ClusterUnreachable(ProvisioningError):
    """The cluster does not answer."""

    code = "cluster_unreachable"
    retryable = True


class ClusterRefused(ProvisioningError):
    """The cluster answered and refused."""

    code = "cluster_refused"


class KubeconfigRefused(ProvisioningError):
    """This kubeconfig cannot be used."""

    code = "kubeconfig_refused"


class ClusterNameTaken(ProvisioningError):
    """There is already a cluster of this name."""

    code = "cluster_name_taken"


class AnotherCluster(ProvisioningError):
    """These credentials lead to another cluster."""

    code = "another_cluster"


class ClusterAlreadyAdded(ProvisioningError):
    """This cluster has been added already, under another name."""

    code = "cluster_already_added"


class ClusterInUse(ProvisioningError):
    """Something of ours is still on the cluster."""

    code = "cluster_in_use"


class IllegalClusterState(ProvisioningError):
    """In its present state this cannot be done with the cluster."""

    code = "illegal_cluster_state"


class ClusterAnswers(ProvisioningError):
    """Only a cluster that has not answered for a while can be declared lost."""

    code = "cluster_answers"


class NotConfirmed(ProvisioningError):
    """The cluster's own name and a reason have to be given."""

    code = "not_confirmed"


class InstanceStaysHere(ProvisioningError):
    """This instance cannot be moved to another cluster."""

    code = "instance_stays_here"


class NoLogsYet(ProvisioningError):
    """The instance has no logs yet."""

    code = "no_logs_yet"
    retryable = True


class AlreadyClosed(ProvisioningError):
    """Somebody has closed this already."""

    code = "already_closed"


class NothingToRelease(ProvisioningError):
    """No pod waits for a person's word on this cluster."""

    code = "nothing_to_release"


class UnknownVolume(ProvisioningError):
    """There is no such volume, or it cannot be attached."""

    code = "unknown_volume"


class IllegalVolume(ProvisioningError):
    """There can be no such volume."""

    code = "illegal_volume"


class VolumeNameTaken(ProvisioningError):
    """The tenant already has a volume of this name."""

    code = "volume_name_taken"


class VolumeInUse(ProvisioningError):
    """Instances still have this volume."""

    code = "volume_in_use"


class VolumeCannotGrow(ProvisioningError):
    """The storage of this volume does not let it grow."""

    code = "volume_cannot_grow"


class VolumesApart(ProvisioningError):
    """Volumes of one instance have to be on one cluster."""

    code = "volumes_apart"


class NoStorage(ProvisioningError):
    """This cluster offers no storage now."""

    code = "no_storage"


class IllegalMount(ProvisioningError):
    """A volume cannot be attached there."""

    code = "illegal_mount"


class IllegalSecret(ProvisioningError):
    """A secret cannot be given like this."""

    code = "illegal_secret"


class ImageNotAllowed(ProvisioningError):
    """This image is not among those the tenant may start."""

    code = "image_not_allowed"


class IllegalImagePattern(ProvisioningError):
    """This is no pattern for images."""

    code = "illegal_image_pattern"


class IllegalRegistryLogin(ProvisioningError):
    """A login to a registry cannot be stored like this."""

    code = "illegal_registry_login"


class NotRunning(ProvisioningError):
    """The instance does not run."""

    code = "not_running"
    retryable = True


class NothingListens(ProvisioningError):
    """Nothing in the instance listens at this port."""

    code = "nothing_listens"
    retryable = True


class IllegalPort(ProvisioningError):
    """A port is a number from 1 to 65535."""

    code = "illegal_port"


class TooManyPorts(ProvisioningError):
    """An instance has no room for more open ports."""

    code = "too_many_ports"


class IllegalGateway(ProvisioningError):
    """A gateway and the service behind it are named as Kubernetes names things."""

    code = "illegal_gateway"


class NoGatewayApi(ProvisioningError):
    """The cluster does not have the Gateway API."""

    code = "no_gateway_api"


class RoutesForbidden(ProvisioningError):
    """The cluster does not let us make routes in this namespace."""

    code = "routes_forbidden"


class GatewayInUse(ProvisioningError):
    """There are routes in another namespace: remove the gateway first."""

    code = "gateway_in_use"


class PortNotOpen(ProvisioningError):
    """This port of the instance is not open."""

    code = "port_not_open"


class LaunchHasEnded(ProvisioningError):
    """The launch has ended; its tenant may start the instance again."""

    code = "launch_has_ended"
