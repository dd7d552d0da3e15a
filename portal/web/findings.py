"""Say what examining a cluster has found in the reader's language: verdict and facts in, words out.

What the cluster itself has said is shown as it said it.
"""

from collections.abc import Callable
from typing import Any, Final

from django.utils.translation import gettext as _

from provisioning import looking
from provisioning.models import ClusterFinding, Question, Verdict

Facts = dict[str, Any]


def in_words(finding: ClusterFinding) -> str:
    """Return the sentence behind a verdict; empty where only the cluster's own words are known."""
    say = _SAID.get(finding.question)
    return say(Verdict(finding.verdict), finding.facts) if say else ""


def _of_version(verdict: Verdict, facts: Facts) -> str:
    version = facts.get("version", "")
    words = {"version": version, "oldest": ".".join(map(str, looking.OLDEST))}
    if verdict == Verdict.OK:
        return _("%(version)s is %(oldest)s or later.") % words
    if looking.version_of(version) is None:
        return _("The server does not say which version it is.")
    return _("%(version)s is older than %(oldest)s, the oldest we know.") % words


def _of_identity(verdict: Verdict, facts: Facts) -> str:
    if verdict == Verdict.FAILED:
        return _("It may not: %(missing)s.") % {"missing": ", ".join(facts.get("missing", ()))}
    if not facts.get("is_bound"):
        return _("It may do all it needs, in every namespace.")
    if facts.get("seen_in"):
        return _("It may do all it needs, in tenants' namespaces by a binding in each.")
    return _("It will be bound in each tenant's namespace; there is none yet to see that in.")


def _of_devices(verdict: Verdict, facts: Facts) -> str:
    known, unknown = facts.get("known", ()), facts.get("unknown", ())
    said = [_("No node offers a device of a family we know.")]
    if known:
        said = [_("Its nodes offer %(names)s.") % {"names": ", ".join(known)}]
    if unknown:
        words = {"names": ", ".join(unknown)}
        said.append(_("Not sold, for nobody here knows it: %(names)s.") % words)
    return " ".join(said)


def _of_device_ids(verdict: Verdict, facts: Facts) -> str:
    if facts.get("by") == "pod":
        if verdict == Verdict.OK:
            return _("The status of a pod told which device it held.")
        return _("The status of a pod did not tell which device it held.")
    if verdict == Verdict.OK:
        return _("A pod's status tells which devices it holds: so it is since 1.36.")
    if facts.get("by") == "version":
        return _("Before 1.36 it depends on how the server was started; a pod will show it.")
    return ""


def _of_device_access(verdict: Verdict, facts: Facts) -> str:
    if verdict == Verdict.FAILED:
        return _("An ordinary user may not open a device it was given.")
    if verdict == Verdict.OK:
        return _("An ordinary user may open the device it was given.")
    if any(str(said).startswith("no file") for said in facts.get("pods", {}).values()):
        return _("A pod held a device and was given no device file: there was nothing to open.")
    return ""


def _of_wall(verdict: Verdict, facts: Facts) -> str:
    if verdict == Verdict.FAILED:
        return _("Not enforced: a pod reached another that the policy keeps it from.")
    if verdict == Verdict.OK:
        return _("Enforced: only who may reach a pod reached it.")
    return ""


def _of_gateway_api(verdict: Verdict, facts: Facts) -> str:
    if facts.get("is_there"):
        return _("It has the Gateway API: ports may be routed by a gateway of its own.")
    return _("It has no Gateway API: ports are reached through the portal's own address.")


_SAID: Final[dict[str, Callable[[Verdict, Facts], str]]] = {
    Question.VERSION: _of_version,
    Question.WATCHER: _of_identity,
    Question.WORKER: _of_identity,
    Question.ACCESS: _of_identity,
    Question.DEVICES: _of_devices,
    Question.DEVICE_IDS: _of_device_ids,
    Question.DEVICE_ACCESS: _of_device_access,
    Question.NETWORK_POLICY: _of_wall,
    Question.GATEWAY_API: _of_gateway_api,
}
