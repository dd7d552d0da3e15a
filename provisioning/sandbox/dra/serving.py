"""The driver's side of the contract: it says who it is, and prepares claims for pods.

One server answers on two sockets: the one a kubelet finds drivers by, and the driver's own.
"""

import logging
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from provisioning.sandbox.dra.api import Api, ApiError
from provisioning.sandbox.dra.cdi import CdiFolder
from provisioning.sandbox.dra.health import HealthTeller
from provisioning.sandbox.dra.messages import DRA, HEALTH_SERVICE, REGISTRATION, SERVICE, encode
from provisioning.sandbox.objects import Json

logger = logging.getLogger(__name__)

REGISTRY = "plugins_registry"
PLUGINS = "plugins"


class DriverServer:
    """Serves one driver below one kubelet's folder, until stopped."""

    def __init__(
        self, driver: str, *, kubelet: Path, api: Api, cdi: CdiFolder, health: HealthTeller
    ) -> None:
        self.driver = driver
        self.registration = kubelet / REGISTRY / f"{driver}-reg.sock"
        self.socket = kubelet / PLUGINS / driver / "dra.sock"
        self._api, self._cdi, self._health = api, cdi, health
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        self._server.add_generic_rpc_handlers(
            (self._registering(), self._preparing(), health.handler())
        )

    def start(self) -> None:
        """Listen; the kubelet sees the registration socket and calls back."""
        for socket in (self.socket, self.registration):
            socket.parent.mkdir(parents=True, exist_ok=True)
            socket.unlink(missing_ok=True)
            self._server.add_insecure_port(f"unix://{socket}")
        self._server.start()

    def stop(self) -> None:
        """Leave; the kubelet takes our slices away once the sockets are gone for a while."""
        self._health.stop()
        self.registration.unlink(missing_ok=True)
        self._server.stop(grace=0.5).wait()
        self.socket.unlink(missing_ok=True)

    def _registering(self) -> grpc.GenericRpcHandler:
        calls: dict[str, tuple[Callable[..., Any], str]] = {
            "GetInfo": (self._info, "InfoRequest"),
            "NotifyRegistrationStatus": (self._told, "RegistrationStatus"),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(call, REGISTRATION.decoder(asked), encode)
            for name, (call, asked) in calls.items()
        }
        service = f"{REGISTRATION.package}.Registration"
        return grpc.method_handlers_generic_handler(service, handlers)

    def _preparing(self) -> grpc.GenericRpcHandler:
        calls: dict[str, tuple[Callable[..., Any], str]] = {
            "NodePrepareResources": (self._prepare_all, "NodePrepareResourcesRequest"),
            "NodeUnprepareResources": (self._unprepare_all, "NodeUnprepareResourcesRequest"),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(call, DRA.decoder(asked), encode)
            for name, (call, asked) in calls.items()
        }
        return grpc.method_handlers_generic_handler(f"{DRA.package}.DRAPlugin", handlers)

    def _info(self, asked: Any, context: grpc.ServicerContext) -> Any:
        return REGISTRATION.message(
            "PluginInfo",
            type="DRAPlugin",
            name=self.driver,
            endpoint=str(self.socket),
            supported_versions=[SERVICE, HEALTH_SERVICE],
        )

    def _told(self, status: Any, context: grpc.ServicerContext) -> Any:
        if status.plugin_registered:
            logger.info("registered %s", self.driver)
        else:
            logger.error("the kubelet refuses %s: %s", self.driver, status.error)
        return REGISTRATION.message("RegistrationStatusResponse")

    def _prepare_all(self, asked: Any, context: grpc.ServicerContext) -> Any:
        entries = [
            DRA.message("PreparedEntry", key=claim.uid, value=self._prepare(claim))
            for claim in asked.claims
        ]
        return DRA.message("NodePrepareResourcesResponse", claims=entries)

    def _prepare(self, wanted: Any) -> Any:
        """Prepare one claim; asked again, the answer is the same."""
        answer = "NodePrepareResourceResponse"
        try:
            claim = self._api.claim(namespace=wanted.namespace, name=wanted.name)
        except ApiError as error:
            return DRA.message(answer, error=f"cannot read the claim: {error}")
        if claim["metadata"]["uid"] != wanted.uid:
            return DRA.message(answer, error="another claim has the name by now")
        results = [one for one in _results(claim) if one["driver"] == self.driver]
        if not results:
            return DRA.message(answer, error="nothing of this driver is allocated to the claim")
        ids = self._cdi.add(wanted.uid, devices=[one["device"] for one in results])
        logger.info("prepared %s for %s/%s", results, wanted.namespace, wanted.name)
        return DRA.message(answer, devices=[_device(one, ids) for one in results])

    def _unprepare_all(self, asked: Any, context: grpc.ServicerContext) -> Any:
        entries = []
        for claim in asked.claims:
            # The claim itself may be gone by now; all we need is its name for the file.
            self._cdi.remove(claim.uid)
            logger.info("unprepared %s/%s", claim.namespace, claim.name)
            freed = DRA.message("NodeUnprepareResourceResponse")
            entries.append(DRA.message("UnpreparedEntry", key=claim.uid, value=freed))
        return DRA.message("NodeUnprepareResourcesResponse", claims=entries)


def _results(claim: Json) -> list[Json]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return list((allocation.get("devices") or {}).get("results") or ())


def _device(result: Json, cdi_ids: list[str]) -> Any:
    return DRA.message(
        "Device",
        request_names=[result["request"].partition("/")[0]],
        pool_name=result["pool"],
        device_name=result["device"],
        cdi_device_ids=cdi_ids,
    )
