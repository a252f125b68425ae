"""Writes the generated part of the client: generate.py DOCUMENT DIRECTORY"""

import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def main(document: pathlib.Path, out: pathlib.Path) -> None:
    described = json.loads(document.read_text())
    for path in described["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            # The generator can send no NDJSON. Whatever takes it takes JSON too.
            content.pop("application/x-ndjson", None)
            for parameter in operation.get("parameters", []):
                # It reads what a parameter is for where its type is described.
                if "description" in parameter and "$ref" not in parameter["schema"]:
                    parameter["schema"]["description"] = parameter["description"]
            for reply in operation["responses"].values():
                # Where a reply comes in several forms, it is asked for as JSON.
                if "application/json" in reply.get("content", {}):
                    reply["content"] = {"application/json": reply["content"]["application/json"]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as known:
        json.dump(described, known)
        known.flush()
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", known.name]
        command += ["--config", str(HERE / "generator.yml"), "--custom-template-path", str(HERE / "templates")]
        # What it does not understand it leaves out: that must not go unseen.
        command += ["--meta", "none", "--overwrite", "--fail-on-warning", "--output-path", str(out)]
        subprocess.run(command, check=True)
    version = described["info"]["version"]
    (out / "version.py").write_text(
        f'"""The version of the server that this was made for."""\n\n__version__ = "{version}"\n'
    )


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
