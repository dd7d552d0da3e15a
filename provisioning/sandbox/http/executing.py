"""`exec`: a command in a container over a WebSocket, its streams as numbered channels.

A message is one byte of channel and what it carries: 0 in, 1 out, 2 errors, 3 how it
ended, 4 the terminal's size.  `v5` lets a client close a channel (255), `v4` has no way
to end the input, and the oldest does not say how it ended.
"""

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.sandbox import errors, reading
from provisioning.sandbox.containers.sessions import STDERR, STDOUT, CannotExecute, Session
from provisioning.sandbox.http import sockets
from provisioning.sandbox.http.requests import Receive, Request, Send, Target
from provisioning.sandbox.http.sockets import Left, Socket
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets import reaching
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, dump
from provisioning.sandbox.raising import Raised

V5, V4, V1 = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"
_STDIN, _ENDED, _RESIZE, _CLOSE = 0, 3, 4, 255


@dataclass(frozen=True)
class ExecOptions:
    """What a client wants to run, and which streams it wants to see."""

    command: Sequence[str]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


@dataclass
class Executing:
    """An exec on its way to a client."""

    kubelet: Kubelet
    container_id: str
    options: ExecOptions
    offered: Sequence[str]

    async def send(self, send: Send, receive: Receive) -> None:
        """Run the command and carry its streams until one side ends."""
        protocol = sockets.chosen(self.offered, (V5, V4, V1))
        if protocol is None:
            await sockets.refuse(send, receive)
            return
        socket = await sockets.accept(send, receive, protocol)
        try:
            await self._run(socket, protocol)
            await socket.close()
        except Left:
            return

    async def _run(self, socket: Socket, protocol: str) -> None:
        # An empty message on the first stream tells the client that it is connected.
        streams = [(self.options.stdout, STDOUT), (self.options.stderr, STDERR)]
        await socket.send(bytes([next((one for wanted, one in streams if wanted), _ENDED)]))
        try:
            session = await self.kubelet.ground.runtime.execute(
                self.container_id, self.options.command, is_terminal=self.options.tty
            )
        except CannotExecute as error:
            ended = _cannot(str(error))
        else:
            ended = await self._carry(socket, session)
        if protocol in (V5, V4):
            await socket.send(bytes([_ENDED]) + dump(ended))

    async def _carry(self, socket: Socket, session: Session) -> Json:
        if not self.options.stdin:
            session.close_input()
        hearing = asyncio.create_task(_hear(socket, session, is_heard=self.options.stdin))
        try:
            async for channel, data in session.output():
                if self.options.stdout if channel == STDOUT else self.options.stderr:
                    await socket.send(bytes([channel]) + data)
            return _status(await session.wait())
        finally:
            hearing.cancel()
            session.kill()


async def _hear(socket: Socket, session: Session, *, is_heard: bool) -> None:
    """Carry what the client sends; a client that leaves ends its command."""
    try:
        while True:
            message = await socket.receive()
            channel, data = (message[0], message[1:]) if message else (_ENDED, b"")
            if channel == _STDIN and is_heard:
                session.write(data)
            elif channel == _RESIZE:
                _resize(session, data)
            elif channel == _CLOSE and data[:1] == bytes([_STDIN]):
                session.close_input()
    except Left:
        session.kill()


def _resize(session: Session, data: bytes) -> None:
    try:
        size = json.loads(data)
        session.resize(columns=int(size["Width"]), rows=int(size["Height"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        return


def answer(raised: Raised, request: Request, target: Target) -> Executing:
    """Everything that can refuse an exec before it begins, in the server's order."""
    pod = reading.get(
        raised.cluster.store, kind=PODS, namespace=target.namespace, name=target.name
    ).object
    container = reaching.container_of(pod, request.query.text("container"))
    kubelet = reaching.kubelet_of(raised.kubelets, pod)
    if not request.is_websocket:
        raise errors.bad_request("Upgrade request required")
    container_id = reaching.running(kubelet, pod, container)
    return Executing(kubelet, container_id, _options(request), request.subprotocols)


def _options(request: Request) -> ExecOptions:
    query = request.query
    tty = query.flag("tty")
    # A terminal has one stream out.
    return ExecOptions(
        command=query.every("command"),
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr") and not tty,
        tty=tty,
    )


def _status(code: int) -> Json:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    message = "command terminated with non-zero exit code: command terminated with exit code"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"{message} {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _cannot(why: str) -> Json:
    run = f'failed to start exec "{secrets.token_hex(32)}": {why}'
    inner = (
        "Internal error occurred: error executing command in container: failed to exec in"
        f" container: {run}"
    )
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {inner}",
        "reason": "InternalError",
        "details": {"causes": [{"message": inner}]},
        "code": 500,
    }
