"""Refusals of the domain as sentences for the person at the page.

The code says what is refused; the sentence is in the reader's language.  A code without
a sentence here is shown in the domain's own English, and a test finds it.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.errors import BillingError
from portal.quotas.errors import QuotaExceeded
from portal.tenants.errors import PortalError
from provisioning.errors import ProvisioningError

SENTENCES: dict[str, Promise] = {
    # tenants
    "not_found": gettext_lazy("There is no such thing, or it is not yours to see."),
    "forbidden": gettext_lazy("Your role does not allow this."),
    "name_missing": gettext_lazy("A name is needed."),
    "name_refused": gettext_lazy("This name is too long or has characters that cannot be used."),
    "slug_taken": gettext_lazy("This short name is already taken."),
    "slug_refused": gettext_lazy("A short name has lower-case letters, digits and hyphens."),
    "unknown_person": gettext_lazy("Nobody has signed up with this e-mail address."),
    "already_member": gettext_lazy("This person is already a member."),
    "last_owner": gettext_lazy("A tenant keeps at least one owner."),
    "unknown_role": gettext_lazy("There is no such role."),
    "expiry_out_of_range": gettext_lazy("A token expires in the future, within one year."),
    # quotas and requests
    "quota_exceeded": gettext_lazy("The project's quota has no room for this many devices."),
    "quota_in_use": gettext_lazy("A quota cannot fall below what is in use."),
    "devices_out_of_range": gettext_lazy("The number of devices is out of range."),
    "request_already_decided": gettext_lazy("Somebody has already decided this request."),
    "reason_missing": gettext_lazy("A rejection needs a reason."),
    "justification_missing": gettext_lazy("Say what the devices are for."),
    "count_out_of_range": gettext_lazy("The number of instances is out of range."),
    "more_than_asked": gettext_lazy("You may grant fewer devices than asked, never more."),
    "lease_too_long": gettext_lazy("So late an end needs a new request, which a person looks at."),
    "conflict_of_interest": gettext_lazy("Nobody decides a request of a tenant they belong to."),
    # provisioning
    "already_closed": gettext_lazy("Somebody has closed this already."),
    "nothing_to_release": gettext_lazy("None of these pods waits for a person any more."),
    "launch_has_ended": gettext_lazy(
        "The launch has ended; its tenant may start the instance again."
    ),
    "unknown_instance_type": gettext_lazy("There is no such instance type."),
    "retired_instance_type": gettext_lazy("This instance type is no longer offered."),
    "unknown_image": gettext_lazy("There is no such image, or it is no longer offered."),
    "unknown_account": gettext_lazy("There is no billing account for this tenant."),
    "lease_in_past": gettext_lazy("The end of an instance must lie in the future."),
    "illegal_spec": gettext_lazy("The instance cannot be described to a cluster."),
    "illegal_transition": gettext_lazy("In its present state the instance cannot do this."),
    "no_capacity": gettext_lazy("No cluster has enough free healthy devices now."),
    "cluster_unreachable": gettext_lazy("The cluster does not answer. Try again in a moment."),
    "cluster_refused": gettext_lazy("The cluster answered and refused."),
    "kubeconfig_refused": gettext_lazy("This kubeconfig cannot be used."),
    "name_taken": gettext_lazy("The cluster holds another pod of this name."),
    "cluster_name_taken": gettext_lazy("There is already a cluster of this name."),
    "another_cluster": gettext_lazy("These credentials lead to another cluster."),
    "cluster_already_added": gettext_lazy(
        "This cluster has been added already, under another name."
    ),
    "cluster_in_use": gettext_lazy("Something of ours is still on the cluster."),
    "illegal_cluster_state": gettext_lazy(
        "In its present state this cannot be done with the cluster."
    ),
    "cluster_answers": gettext_lazy(
        "Only a cluster that has not answered for a while can be declared lost."
    ),
    "not_confirmed": gettext_lazy("Write the cluster's own name, and the reason."),
    "cannot_recreate": gettext_lazy("The instance cannot be known again from its pod."),
    "instance_busy": gettext_lazy("The instance is being worked on. Try again in a moment."),
    "instance_stays_here": gettext_lazy("This instance cannot be moved to another cluster."),
    "no_logs_yet": gettext_lazy("There are no logs yet."),
    "not_running": gettext_lazy("The instance does not run now."),
    "nothing_listens": gettext_lazy(
        "Nothing in the instance listens at this port. Is the program started?"
    ),
    "illegal_port": gettext_lazy("A port is a number from 1 to 65535."),
    "too_many_ports": gettext_lazy("The instance has no room for more open ports."),
    "port_not_open": gettext_lazy("This port of the instance is not open."),
    "illegal_gateway": gettext_lazy(
        "A gateway and the service behind it are named as Kubernetes names things."
    ),
    "no_gateway_api": gettext_lazy("The cluster does not have the Gateway API."),
    "routes_forbidden": gettext_lazy("The cluster does not let us make routes in this namespace."),
    "gateway_in_use": gettext_lazy(
        "There are routes in another namespace: remove the gateway first."
    ),
    # access
    "signed_out": gettext_lazy("You are no longer signed in."),
    "ticket_refused": gettext_lazy(
        "This link was used already or is too old. Open the page from the portal."
    ),
    "too_many_terminals": gettext_lazy("There are too many open terminals in this instance."),
    "too_many_open": gettext_lazy("You have too many connections to instances open at once."),
    "too_many_streams": gettext_lazy(
        "Too many logs are being followed at once: close another one first."
    ),
    "unknown_volume": gettext_lazy("There is no such volume, or it cannot be attached."),
    "illegal_volume": gettext_lazy("A volume like this cannot be made."),
    "volume_name_taken": gettext_lazy("There is already a volume of this name."),
    "volume_in_use": gettext_lazy("Instances still have this volume; terminate them first."),
    "volume_cannot_grow": gettext_lazy("The storage of this volume does not let it grow."),
    "volumes_apart": gettext_lazy("Volumes of one instance have to be on one cluster."),
    "volumes_for_one": gettext_lazy(
        "A volume is attached to one instance at a time; ask for one instance."
    ),
    "volume_limit_exceeded": gettext_lazy(
        "The project's storage has no room for a volume of this size."
    ),
    "no_storage": gettext_lazy("This cluster offers no storage now."),
    "illegal_mount": gettext_lazy("A volume cannot be attached there."),
    "illegal_secret": gettext_lazy("A secret cannot be given like this."),
    "image_not_allowed": gettext_lazy(
        "This image is not among those you may start; ask the operator to allow it."
    ),
    "illegal_image_pattern": gettext_lazy("This pattern for images cannot be used."),
    "illegal_registry_login": gettext_lazy("This login cannot be stored."),
    # billing
    "illegal_state": gettext_lazy("In its present state this is not possible."),
    "account_already_open": gettext_lazy("This tenant already has a billing account."),
    "no_seller": gettext_lazy("No seller is set up: an invoice needs somebody who issues it."),
    "unknown_sku": gettext_lazy("There is no such SKU."),
    "invalid_rate": gettext_lazy(
        "A rate is zero or more, has at most four decimals, and ends after it begins."
    ),
    "rate_overlap": gettext_lazy("Another rate of this SKU covers part of that time."),
    "rate_in_force": gettext_lazy("A price that is or was in force does not change."),
    "period_overlap": gettext_lazy("Another billing period covers part of that time."),
    "invoice_already_issued": gettext_lazy(
        "An invoice for this billing period has already been issued."
    ),
    "nothing_to_invoice": gettext_lazy("This billing period has nothing to invoice."),
    "font_missing": gettext_lazy("The document font is missing; the static files must be built."),
    "close_blocked": gettext_lazy("The billing period cannot be invoiced yet."),
}
# Their English detail says what is wrong with the input, and is shown after the sentence.
_WITH_DETAIL = frozenset(
    {
        "kubeconfig_refused",
        "illegal_spec",
        "illegal_volume",
        "illegal_mount",
        "illegal_secret",
        "illegal_registry_login",
        "image_not_allowed",
        "cluster_refused",
        "cluster_already_added",
        "cluster_answers",
        "cluster_in_use",
        "illegal_cluster_state",
        "instance_stays_here",
    }
)


def in_words(refusal: PortalError | ProvisioningError | BillingError) -> str:
    """The sentence a person reads."""
    if isinstance(refusal, QuotaExceeded):
        return _quota_exceeded(refusal)
    sentence = str(SENTENCES.get(refusal.code, refusal.message))
    detail = getattr(refusal, "detail", "") if refusal.code in _WITH_DETAIL else ""
    return f"{sentence} ({detail})" if detail else sentence


def _quota_exceeded(refusal: QuotaExceeded) -> str:
    return " ".join(
        [
            ngettext(
                "The project's quota has room for %(free)s more device.",
                "The project's quota has room for %(free)s more devices.",
                refusal.free,
            )
            % {"free": refusal.free},
            _("%(wanted)s were asked for.") % {"wanted": refusal.wanted},
        ]
    )
