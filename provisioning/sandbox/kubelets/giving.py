"""Find what a container is to be given from Secrets and ConfigMaps, or say what is missing.

A volume that cannot be filled and a variable that cannot be set are two different troubles
with words of their own, as a real kubelet has them.
"""

import base64
from collections.abc import Mapping

from provisioning.sandbox.containers.runtime import Given
from provisioning.sandbox.kinds import CONFIG_MAPS, SECRETS
from provisioning.sandbox.objects import Json, namespace_of, spec
from provisioning.sandbox.store import Store

Content = Mapping[str, bytes]


class CannotConfigure(Exception):
    """A variable has no value."""


class CannotMount(Exception):
    """A volume has no files."""


def find(store: Store, pod: Json, container: Json) -> Given:
    """What the container is to be given; raises `CannotMount` before `CannotConfigure`."""
    files = {
        str(volume["name"]): content
        for volume in _mounted(pod, container)
        if (content := _files_of(store, namespace_of(pod), volume)) is not None
    }
    return Given(_variables_of(store, namespace_of(pod), container), files)


def find_some(store: Store, pod: Json, container: Json) -> Given:
    """The same for a container that runs already: it had what is gone by now."""
    try:
        return find(store, pod, container)
    except (CannotConfigure, CannotMount):
        return Given()


def _mounted(pod: Json, container: Json) -> list[Json]:
    names = {mount.get("name") for mount in container.get("volumeMounts") or []}
    return [volume for volume in spec(pod).get("volumes") or [] if volume.get("name") in names]


def _files_of(store: Store, namespace: str, volume: Json) -> Content | None:
    source = volume.get("secret") or volume.get("configMap")
    if not source:
        return None
    is_secret = "secret" in volume
    name = str(source.get("secretName" if is_secret else "name"))
    content = _content(store, namespace, name, is_secret=is_secret)
    kind = "secret" if is_secret else "configmap"
    prefix = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
    if content is None:
        if source.get("optional"):
            return {}
        raise CannotMount(f'{prefix}{kind} "{name}" not found')
    items = source.get("items")
    if not items:
        return content
    missing = [item["key"] for item in items if item["key"] not in content]
    if missing and not source.get("optional"):
        raise CannotMount(f"{prefix}references non-existent {kind} key: {missing[0]}")
    return {str(one["path"]): content[one["key"]] for one in items if one["key"] in content}


def _variables_of(store: Store, namespace: str, container: Json) -> dict[str, str]:
    found = {}
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            value = _value(store, namespace, source[field], kind) if source.get(field) else None
            if value is not None:
                found[str(variable["name"])] = value.decode(errors="replace")
    return found


def _value(store: Store, namespace: str, wanted: Json, kind: str) -> bytes | None:
    name, key = str(wanted.get("name")), str(wanted.get("key"))
    content = _content(store, namespace, name, is_secret=kind == "Secret")
    if content is not None and key in content:
        return content[key]
    if wanted.get("optional"):
        return None
    if content is None:
        raise CannotConfigure(f'{kind.lower()} "{name}" not found')
    raise CannotConfigure(f"couldn't find key {key} in {kind} {namespace}/{name}")


def _content(store: Store, namespace: str, name: str, *, is_secret: bool) -> Content | None:
    stored = store.get(SECRETS if is_secret else CONFIG_MAPS, namespace, name)
    if stored is None:
        return None
    data = stored.object.get("data") or {}
    if is_secret:
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = stored.object.get("binaryData") or {}
    plain = {key: str(value).encode() for key, value in data.items()}
    return {**plain, **{key: base64.b64decode(value) for key, value in binary.items()}}
