"""Confide secrets to an instance: values in once, sealed, never out again but to its pod.

`confide` keeps them at launch; `secrets_for` writes the Secret objects of one attempt, which
`carrying` applies right before the pod, and `clear_away` deletes them once the attempt is gone.
The login its image is pulled with, which `registries` keeps, goes the same way.  What a spec's
hash says of secrets is a keyed digest.  Only the notebook token can be read back, for the door
to the notebook's port.
"""

import base64
import hashlib
import hmac
import logging
import re
import secrets as randomness
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from provisioning import breaking, marking, names, registries
from provisioning.cluster import storing
from provisioning.cluster.sealing import seal, unseal
from provisioning.errors import ClusterUnreachable, IllegalSecret, ProvisioningError
from provisioning.manifests import Manifest
from provisioning.models import (
    Attempt,
    Cluster,
    ConfidedSecret,
    Instance,
    InstanceSecret,
    RegistryLogin,
)
from provisioning.names import Marks
from provisioning.specs import Confided, SecretText
from provisioning.states import AttemptState, SecretKind, State

logger = logging.getLogger(__name__)

TOKEN: Final = "JUPYTER_TOKEN"  # noqa: S105 - its name, not its value
OURS: Final = "NPU_FARM_"
MOST_SECRETS: Final = 30
# All values together stay well below what a Secret object may hold.
MOST_BYTES: Final = 256 * 1024
CLEARED_AT_ONCE: Final = 50
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def check_secrets(texts: Sequence[SecretText], *, variables: Iterable[str] = ()) -> None:
    """Refuse what cannot be a variable or a file, and what would hide something else."""
    given = [(text.kind, text.name) for text in texts]
    if len(given) > MOST_SECRETS or len(set(given)) != len(given):
        raise IllegalSecret("There are too many, or one twice.")
    for number, text in enumerate(texts, 1):
        rule = _VARIABLE if text.kind is SecretKind.ENV else _FILE
        # By its number: what stands where a name should be may be the secret itself.
        if not rule.fullmatch(text.name):
            raise IllegalSecret(f"Number {number} has no name that can be used.")
        if text.kind is SecretKind.ENV and (text.name in variables or text.name.startswith(OURS)):
            raise IllegalSecret(f"{text.name} is already a variable.")
        if "\x00" in text.value or not text.value:
            raise IllegalSecret(f"{text.name} is empty or holds a NUL.")
    if sum(len(text.value.encode(errors="surrogatepass")) for text in texts) > MOST_BYTES:
        raise IllegalSecret("Together they are too long.")
    with suppress(UnicodeEncodeError):
        for text in texts:
            text.value.encode()
        return
    raise IllegalSecret("One of them is no text.")


def confide(
    *, instance: Instance, texts: Sequence[SecretText], wants_token: bool, at: datetime
) -> None:
    """Keep what an instance is given, sealed; called inside the transaction of its launch."""
    given = list(texts)
    if wants_token and all(text.name != TOKEN for text in given):
        given.append(SecretText(SecretKind.ENV, TOKEN, randomness.token_urlsafe(32)))
    InstanceSecret.objects.bulk_create(
        InstanceSecret(
            instance=instance,
            kind=text.kind,
            name=text.name,
            value_sealed=seal({"value": text.value}),
            digest=_digest(f"{instance.pk}\n{text.kind}\n{text.name}\n{text.value}"),
            created_at=at,
        )
        for text in given
    )


def seal_texts(texts: Sequence[SecretText]) -> bytes | None:
    """Seal secrets nobody is given yet, for a wish that waits for a person."""
    plain = [[text.kind.value, text.name, text.value] for text in texts]
    return seal({"texts": plain}) if plain else None


def unseal_texts(sealed: bytes | memoryview | None) -> tuple[SecretText, ...]:
    """Return what `seal_texts` was given."""
    plain = unseal(bytes(sealed))["texts"] if sealed else []
    return tuple(SecretText(SecretKind(kind), name, value) for kind, name, value in plain)


def confided_to(instance: Instance, *, secret_name: str) -> Confided | None:
    """Return what a pod's manifest says of the instance's secrets; None when it has none."""
    secrets = sorted(instance.secrets.all(), key=lambda secret: (secret.kind, secret.name))
    rows = [(secret.kind, secret.name, secret.digest) for secret in secrets]
    if not rows:
        return None
    return Confided(
        secret_name=secret_name,
        digest=_digest("\n".join(digest for _, _, digest in rows)),
        variables=tuple(name for kind, name, _ in rows if kind == SecretKind.ENV),
        files=tuple(name for kind, name, _ in rows if kind == SecretKind.FILE),
    )


def secrets_for(
    *, attempt: Attempt, login: RegistryLogin | None, marks: Marks
) -> Iterator[Manifest]:
    """Write the Secret objects of an attempt, values and all."""
    rows = [row for row in attempt.instance.secrets.all() if row.value_sealed is not None]
    if rows:
        data = {key_of(SecretKind(row.kind), row.name): _value_of(row) for row in rows}
        yield _secret(attempt, attempt.pod_name, "Opaque", data, marks)
    if login is not None:
        data = {registries.KEY: registries.content_of(login)}
        name = names.registry_secret(attempt.pod_name)
        yield _secret(attempt, name, registries.SECRET_TYPE, data, marks)


def _secret(
    attempt: Attempt, name: str, kind: str, data: Mapping[str, str], marks: Marks
) -> Manifest:
    labels = marks.labels(
        tenant=str(attempt.instance.tenant_id),
        instance=str(attempt.instance_id),
        attempt=str(attempt.no),
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": attempt.namespace, "labels": labels},
        "type": kind,
        # Nobody in the namespace can slip another value under a pod that runs.
        "immutable": True,
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def key_of(kind: SecretKind, name: str) -> str:
    """Name a secret inside its Secret object, where variables and files lie side by side."""
    return f"{kind.value}.{name}"


def intend_copies(
    opened: Iterable[Attempt], *, with_login: Container[UUID] = (), at: datetime
) -> None:
    """Write down which Secret objects of these attempts are going to be in a cluster.

    `with_login` are the instances whose image is pulled with a login.
    """
    ConfidedSecret.objects.bulk_create(
        ConfidedSecret(attempt=attempt, name=name, intended_at=at)
        for attempt in opened
        for name in _names_of(attempt, has_login=attempt.instance_id in with_login)
    )


def _names_of(attempt: Attempt, *, has_login: bool) -> Iterator[str]:
    if attempt.instance.secrets.all():
        yield attempt.pod_name
    if has_login:
        yield names.registry_secret(attempt.pod_name)


def notebook_token(instance: Instance) -> str | None:
    """Return the token that opens the instance's notebook; None when it has none.

    For who may open its ports, and nobody else: `portal.access` asks.
    """
    row = _token_of(instance).first()
    return None if row is None else _value_of(row)


def has_notebook_token(instance: Instance) -> bool:
    """Say whether it has one, without reading it."""
    return _token_of(instance).exists()


def _token_of(instance: Instance) -> QuerySet[InstanceSecret]:
    return instance.secrets.filter(kind=SecretKind.ENV, name=TOKEN).exclude(value_sealed=None)


def clear_away(*, at: datetime) -> int:
    """Delete the copies of attempts that are gone, and the values nobody will need again."""
    ended = InstanceSecret.objects.filter(instance__state=State.TERMINATED)
    ended.exclude(value_sealed=None).update(value_sealed=None)
    return sum(_clear_cluster(cluster, at) for cluster in Cluster.objects.order_by("pk"))


def _clear_cluster(cluster: Cluster, at: datetime) -> int:
    # Each cluster by itself: one that does not answer keeps none of the others waiting.
    left = ConfidedSecret.objects.filter(
        attempt__cluster=cluster, attempt__state=AttemptState.GONE, deleted_at=None
    )
    copies = list(left.select_related("attempt").order_by("pk")[:CLEARED_AT_ONCE])
    if not copies or not marking.may_act(cluster, at=at):
        return 0
    if breaking.wait_for(cluster, at=at) is not None:
        return 0
    cleared = 0
    try:
        for copy in copies:
            cleared += _delete(cluster, copy, at)
    except ClusterUnreachable:
        breaking.note_silence(cluster, at=at)
    else:
        breaking.note_answer(cluster)
    return cleared


def _delete(cluster: Cluster, copy: ConfidedSecret, at: datetime) -> bool:
    try:
        storing.delete_secret(cluster, namespace=copy.attempt.namespace, name=copy.name)
    except ClusterUnreachable:
        raise
    except ProvisioningError as error:
        logger.warning("secret %s stays for now: %s", copy.name, error)
        return False
    ConfidedSecret.objects.filter(pk=copy.pk).update(deleted_at=at)
    return True


def _value_of(row: InstanceSecret) -> str:
    return str(unseal(bytes(row.value_sealed or b""))["value"])


def _digest(text: str) -> str:
    # Keyed, for a plain hash of a short password can be guessed.
    key = hashlib.sha256(b"npu-farm secrets\n" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
