"""Runs documented code against requests: verify.py CASES FOLDER. Prints one JSON list of what it said."""

import base64
import json
import pathlib
import sys

cases, folder = map(pathlib.Path, sys.argv[1:])
functions = {}


def function(dialect):
    if dialect not in functions:
        code = (folder / f"{dialect}.py").read_text()
        functions[dialect] = {}
        exec(compile(code, f"{dialect}.py", "exec"), functions[dialect])
    return functions[dialect]["verify"]


said = []
for case in json.loads(cases.read_text()):
    # Names as frameworks show them.
    headers = {name.title(): value for name, value in case["headers"].items()}
    more = [case["url"]] if case["url"] else []
    said.append(function(case["dialect"])(headers, base64.b64decode(case["body"]), case["secrets"], *more))
print(json.dumps(said))
