"""One person's session with the portal: sign in by form, then speak to the API."""

from typing import Any

import httpx2

Json = dict[str, Any]


class Refused(Exception):
    """The portal refused a call; the text is its own."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class Person:
    """Somebody who signed in."""

    def __init__(self, *, address: str, email: str, password: str) -> None:
        self.email = email
        self._http = httpx2.Client(base_url=address, timeout=30, follow_redirects=True)
        self._http.get("/accounts/login/").raise_for_status()
        answer = self._http.post(
            "/accounts/login/",
            data={"login": email, "password": password, "csrfmiddlewaretoken": self._token()},
            headers={"Referer": f"{address}/accounts/login/"},
        )
        answer.raise_for_status()
        if self._http.get("/api/v1/me").status_code != 200:
            raise Refused(f"sign-in of {email} failed")

    def close(self) -> None:
        """Let go of the connections; the session stays signed in."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Json:
        """GET one document."""
        return self._answer(self._http.get(f"/api/v1/{path}", params=params))

    def items(self, path: str, **params: Any) -> list[Json]:
        """GET the first page of a collection."""
        results: list[Json] = self.get(path, **params)["results"]
        return results

    def items_of(self, path: str, **params: Any) -> list[Json]:
        """GET a list that has no pages."""
        answer = self._http.get(f"/api/v1/{path}", params=params)
        if answer.status_code >= 400:
            raise Refused(f"GET {path}: {answer.text}")
        items: list[Json] = answer.json()
        return items

    def post(self, path: str, body: Json | None = None, *, key: str = "") -> Json:
        """POST, with the session's CSRF token; a call with the same key happens once."""
        headers = {"X-CSRFToken": self._token(), "Referer": str(self._http.base_url)}
        headers |= {"Idempotency-Key": key} if key else {}
        return self._answer(self._http.post(f"/api/v1/{path}", json=body or {}, headers=headers))

    def download(self, path: str, **params: Any) -> bytes:
        """GET the bytes of a file."""
        answer = self._http.get(f"/api/v1/{path}", params=params)
        if answer.status_code >= 400:
            raise Refused(answer.text)
        return bytes(answer.content)

    def _token(self) -> str:
        return str(self._http.cookies.get("csrftoken"))

    @staticmethod
    def _answer(answer: httpx2.Response) -> Json:
        if answer.status_code >= 400:
            what = f"{answer.request.method} {answer.url.path}: {answer.text}"
            raise Refused(what, status=answer.status_code)
        body: Json = answer.json() if answer.content else {}
        return body
