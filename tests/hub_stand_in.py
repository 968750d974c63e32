"""A small stand-in of the Hugging Face Hub's API on this machine: repositories that are made, looked at and committed to."""

import base64
import json
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

COMMIT = "0" * 40


class HubStandIn:
    """``address`` is what HF_ENDPOINT would be. repositories: by name whether it is private, and its files' contents by path."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.refused = False  # whether every token is bad
        self._uploads: dict[str, bytes] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*stand_in.looked_at(self.path))

            def do_HEAD(self) -> None:
                self._answer(*(stand_in.looked_at(self.path) if "/resolve/" in self.path else (200, {})))

            def do_POST(self) -> None:
                self._answer(*stand_in.told(self.path, self._body()))

            def do_PUT(self) -> None:
                stand_in._uploads[self.path.rpartition("/")[2]] = self._body()
                self._answer(200, {})

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _answer(self, status: int, answer: dict[str, Any] | list[dict[str, Any]] | bytes) -> None:
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                if status == 404:
                    self.send_header("X-Error-Code", "EntryNotFound" if "/resolve/" in self.path else "RepoNotFound")
                else:
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("ETag", f'"{sha1(text).hexdigest()}"')
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def looked_at(self, path: str) -> tuple[int, dict[str, Any] | list[dict[str, Any]] | bytes]:
        if "/resolve/" in path:  # /OWNER/NAME/resolve/COMMIT/FILE
            repository, _, file = path.removeprefix("/").partition("/resolve/")
            found = self.files.get(repository, {}).get(file.partition("/")[2])
            return (404, {"error": "Entry not found"}) if found is None else (200, found)
        if "/tree/" in path:  # /api/models/OWNER/NAME/tree/COMMIT
            repository = path.removeprefix("/api/models/").partition("/tree/")[0]
            return 200, [
                {"type": "file", "path": name, "size": len(content), "oid": sha1(content).hexdigest()}
                for name, content in self.files[repository].items()
            ]
        name = path.removeprefix("/api/models/").partition("?")[0].removesuffix("/revision/main")
        if name not in self.files:
            return 404, {"error": "Repository not found"}
        siblings = [{"rfilename": one} for one in (".gitattributes", *self.files[name])]
        return 200, {"id": name, "private": self.private[name], "siblings": siblings, "sha": COMMIT}

    def told(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.refused:
            return 401, {"error": "Invalid credentials"}
        if path == "/api/repos/create":
            return self._made(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        name = path.removeprefix("/api/models/").removeprefix("/").partition(".git/")[0]
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self._place(one) for one in json.loads(body)["objects"]]}
        name, _, action = name.rpartition("/")[0].rpartition("/")
        if action == "preupload":
            modes = ["lfs" if one["path"].endswith(".safetensors") else "regular" for one in json.loads(body)["files"]]
            paths = [one["path"] for one in json.loads(body)["files"]]
            told = [{"path": one, "uploadMode": mode, "shouldIgnore": False} for one, mode in zip(paths, modes, strict=True)]
            return 200, {"files": told}
        assert action == "commit", path
        return self._committed(name, [json.loads(line) for line in body.splitlines()])

    def _made(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        self.files[name], self.private[name] = {}, asked.get("private", asked.get("visibility") == "private")
        return 200, {"url": f"{self.address}/{name}", "id": name, "name": name}

    def _place(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "actions": {"upload": {"href": f"{self.address}/upload/{one['oid']}"}}}

    def _committed(self, name: str, lines: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[name][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[name][value["path"]] = self._uploads[value["oid"]]
        return 200, {"success": True, "commitOid": "1" * 40, "commitUrl": f"{self.address}/{name}/commit/{'1' * 40}"}
