"""Commands in a running container: their streams, their end, and why they may be refused."""

from collections.abc import Callable

import pytest

from tests.contract.api import Api
from tests.contract.sockets import CLOSE, RESIZE, STDIN, V4, V5, Talk, execute
from tests.contract.spaces import Space

Name = Callable[[], str]


def test_command_says_its_words_and_that_it_went_well(api: Api, inside: str) -> None:
    heard = execute(api, inside, "echo", "hello", "there").hear()
    assert heard.out() == "hello there\n"
    assert heard.ended() == {"metadata": {}, "status": "Success"}
    assert (heard.protocol, heard.code) == (V5, 1000)


def test_first_message_is_empty_and_says_that_it_begins(api: Api, inside: str) -> None:
    talk = execute(api, inside, "echo")
    assert talk.socket is not None
    assert talk.socket.recv() == b"\x01"
    talk.close()


def test_streams_are_kept_apart_and_the_code_is_told(api: Api, inside: str) -> None:
    heard = execute(api, inside, "sh", "-c", "echo out; echo wrong >&2; exit 3").hear()
    assert (heard.out(), heard.err()) == ("out\n", "wrong\n")
    status = heard.ended()
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    assert status["message"].endswith("command terminated with exit code 3")
    assert "code" not in status


def test_program_that_is_not_there_is_an_internal_error(api: Api, inside: str) -> None:
    status = execute(api, inside, "no-such-program").hear().ended()
    assert (status["code"], status["reason"]) == (500, "InternalError")
    told = 'exec: "no-such-program": executable file not found in $PATH'
    assert told in status["message"]
    assert told in status["details"]["causes"][0]["message"]


def test_no_command_is_an_internal_error_too(api: Api, inside: str) -> None:
    status = execute(api, inside).hear().ended()
    assert (status["code"], status["reason"]) == (500, "InternalError")
    assert "args must not be empty" in status["message"]


def test_unknown_command_of_a_shell_is_127(api: Api, inside: str) -> None:
    heard = execute(api, inside, "sh", "-c", "no-such-program").hear()
    assert "not found" in heard.err()
    assert heard.ended()["details"]["causes"][0]["message"] == "127"


def test_input_is_read_until_its_channel_is_closed(api: Api, inside: str) -> None:
    talk = execute(api, inside, "cat", stdin=True)
    heard = talk.say(STDIN + b"one\n", STDIN + b"two\n", CLOSE + b"\0").hear()
    assert heard.out() == "one\ntwo\n"
    assert heard.ended()["status"] == "Success"


def test_shell_reads_commands_from_its_input(api: Api, inside: str) -> None:
    talk = execute(api, inside, "sh", stdin=True)
    heard = talk.say(STDIN + b"echo first\n", STDIN + b"exit 5\n").hear()
    assert heard.out() == "first\n"
    assert heard.ended()["details"]["causes"][0]["message"] == "5"


def test_environment_is_the_containers_own(api: Api, inside: str) -> None:
    lines = execute(api, inside, "env").hear().out().splitlines()
    assert f"HOSTNAME={inside.rpartition('/')[2]}" in lines


def test_older_protocol_tells_the_end_too(api: Api, inside: str) -> None:
    heard = execute(api, inside, "echo", "hi", protocols=[V4]).hear()
    assert (heard.protocol, heard.out()) == (V4, "hi\n")
    assert heard.ended()["status"] == "Success"


def test_oldest_protocol_tells_no_end(api: Api, inside: str) -> None:
    heard = execute(api, inside, "echo", "hi", protocols=[]).hear()
    assert (heard.out(), heard.channels[3]) == ("hi\n", b"")


def test_unknown_protocol_is_refused(api: Api, inside: str) -> None:
    refusal = execute(api, inside, "echo", protocols=["v9.channel.k8s.io"]).refusal
    assert refusal is not None
    assert refusal.status == 403


def test_terminal_has_one_stream_an_echo_and_a_size(api: Api, web: str) -> None:
    talk = execute(api, web, "sh", tty=True, stdin=True)
    talk.say(RESIZE + b'{"Width":91,"Height":31}')
    # The size travels beside the input: the shell must not ask for it before it is there.
    heard = talk.say(STDIN + b"sleep 1; stty size; exit 4\n").hear()
    assert "31 91\r\n" in heard.out()
    assert "exit 4\r\n" in heard.out()
    assert heard.err() == ""
    assert heard.ended()["details"]["causes"][0]["message"] == "4"


def test_signal_counts_as_128_and_its_number(api: Api, web: str) -> None:
    status = execute(api, web, "sh", "-c", "kill -9 $$").hear().ended()
    assert status["details"]["causes"][0]["message"] == "137"


def test_long_output_arrives_whole(api: Api, web: str) -> None:
    script = "import sys; sys.stdout.write('x' * 3_000_000)"
    heard = execute(api, web, "python3", "-c", script).hear()
    assert len(heard.out()) == 3_000_000
    assert heard.ended()["status"] == "Success"


# Refusals


def _refused(talk: Talk, code: int, reason: str, message: str) -> None:
    assert talk.refusal is not None
    assert talk.refusal.refused(code, reason)["message"] == message


def test_nobody_is_not_found(api: Api, space: Space, name: Name) -> None:
    missing = name()
    talk = execute(api, space.pods(missing), "sh")
    _refused(talk, 404, "NotFound", f'pods "{missing}" not found')


def test_other_container_is_a_bad_request(api: Api, inside: str) -> None:
    pod = inside.rpartition("/")[2]
    talk = execute(api, inside, "sh", container="other")
    _refused(talk, 400, "BadRequest", f"container other is not valid for pod {pod}")


def test_pod_without_a_node_is_a_bad_request(api: Api, space: Space, name: Name) -> None:
    idle = space.run(name(), idle=True)["metadata"]["name"]
    talk = execute(api, space.pods(idle), "sh")
    _refused(talk, 400, "BadRequest", f"pod {idle} does not have a host assigned")


def test_container_that_ended_is_not_found_by_its_kubelet(
    api: Api, space: Space, name: Name
) -> None:
    done = space.run(name(), command=["sh", "-c", "exit 0"])["metadata"]["name"]
    space.await_phase(done, "Succeeded")
    refusal = execute(api, space.pods(done), "sh").refusal
    assert refusal is not None
    assert (refusal.status, refusal.text) == (500, 'container not found ("main")')


def test_exec_without_a_websocket_is_a_bad_request(api: Api, inside: str) -> None:
    answer = api.get(f"{inside}/exec", command="sh", stdout="true")
    assert answer.refused(400, "BadRequest")["message"] == "Upgrade request required"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_stranger_gets_no_further_than_401(
    api: Api, inside: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "token", f"Bearer {token}")
    refusal = execute(api, inside, "sh").refusal
    assert refusal is not None
    assert refusal.status in (401, 403)
