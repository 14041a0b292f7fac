"""A registry of npm with the packages of a folder, for one command:
    python3 scripts/package/try/registry.py FOLDER COMMAND…
FOLDER has the files of `npm pack`. The command finds the registry in npm_config_registry.
"""

import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path


def packuments(folder: Path, base: str) -> dict:
    """What npm asks for before it takes a package: name → document."""
    documents = {}
    for file in folder.glob("*.tgz"):
        with tarfile.open(file) as tar:
            manifest = json.load(tar.extractfile("package/package.json"))
        digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
        manifest["dist"] = {"tarball": f"{base}/{file.name}", "integrity": f"sha512-{digest}"}
        name, version = manifest["name"], manifest["version"]
        documents[name] = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}
    return documents


def main() -> int:
    folder = Path(sys.argv[1])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/").split("?")[0]
            body = None
            if name in documents:
                body = json.dumps(documents[name]).encode()
            elif (folder / name).is_file() and "/" not in name:
                body = (folder / name).read_bytes()
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body or b"{}")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    documents = packuments(folder, base)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {"npm_config_registry": f"{base}/", "npm_config_audit": "false"}
    return subprocess.run(sys.argv[2:], env=environment, check=False).returncode


sys.exit(main())
