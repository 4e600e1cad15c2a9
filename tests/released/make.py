"""Makes the small data directory of a released version that later versions must open, with that version's own binary.

    python3 tests/released/make.py BINARY tests/released/VERSION.zip

The data holds one account with the key below, a graph and a vector memory over a few texts, one file that failed and one
that was never ingested, a user, sessions and messages. With it go the key, and what this version answered to ASKED. What
else is asked of it stands in crates/harkback/tests/it/released.rs.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

TEXTS = {
    "clinic.md": "# Ida Brandt\n\nIda Brandt is a doctor at the Linden clinic. She treats migraine.\n\n"
    "# Linden clinic\n\nThe Linden clinic stands in Harbour Street. It is open on Mondays and Thursdays.\n",
    "rooms.csv": "room,doctor,floor\n12,Ida Brandt,2\n14,Omar Reyes,3\n",
    "phone.txt": "The telephone number of the Linden clinic is 555-0144.\n",
    "broken.json": '{"title": "no end"',
}
ASKED = ["/users/list", "/sessions/list", "/messages/list", "/files/list", "/memories/list"]


def main(binary: str, target: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = pathlib.Path(scratch) / "data"
        key = subprocess.run(
            [binary, "keys", "create", "--account", "clinic", "--data", data], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()
        server = subprocess.Popen(
            [binary, "serve", "--data", data, "--listen", "127.0.0.1:0"], text=True, stderr=subprocess.PIPE
        )
        try:
            url = next(found[1] for line in server.stderr if (found := re.search(r"listening on (\S+)", line)))
            fill(lambda *call: answer(url, key, *call))
            answers = {path: answer(url, key, "GET", path) for path in ASKED}
        finally:
            server.terminate()
            server.wait()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(data.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(data))
            archive.writestr("key", key)
            archive.writestr("answers.json", json.dumps(answers, indent=1))
    print(f"{target}: {pathlib.Path(target).stat().st_size} bytes")


def answer(url: str, key: str, method: str, path: str, body: object = None) -> dict:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        path if path.startswith("http") else url + path,
        data,
        {"X-API-Key": key, "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def fill(call) -> None:
    for name, text in TEXTS.items():
        upload = call("POST", "/files/upload", {"fileName": name})["data"]
        call("PUT", upload["uploadUrl"], text.encode())
        call("POST", "/files/create", {"id": name, "name": name, "key": upload["key"]})
    kinds = {"graph": {"ontology": "support_requests"}, "vector": {"chunkSize": 120}}
    for kind, settings in kinds.items():
        made = call("POST", "/memories/create", {"name": f"Linden {kind}", "memoryType": kind, **settings})["data"]["id"]
        call("POST", "/memories/add-files", {"memoryID": made, "files": list(TEXTS)})
        call("POST", "/memories/start-ingestion", {"memoryID": made})
        while call("GET", f"/memories/get/{made}")["data"]["status"] not in ("success", "failed"):
            time.sleep(0.1)
    call("POST", "/files/create", {"id": "later", "name": "later.txt"})
    call("POST", "/memories/add-files", {"memoryID": made, "files": ["later"]})
    call("POST", "/users/create", {"id": "ada", "firstName": "Ada", "lastName": "Lund", "email": "ada@example.org"})
    for n in range(3):
        call("POST", "/sessions/create", {"id": f"session-{n}", "customerUserID": "ada", "metadata": [{"key": "n", "value": str(n)}]})
        for role in ("user", "assistant"):
            message = {"id": f"{role}-{n}", "sessionID": f"session-{n}", "role": role, "content": f"{role} says {n}"}
            call("POST", "/messages/create", message)
    call("DELETE", "/messages/delete/user-2")


if __name__ == "__main__":
    main(*sys.argv[1:])
