"""Holds event types to their JSON Schemas with a validator that is not Hookwheel's.

Reads the replies to GET /api/v1/event-types, one a line; prints how many samples fit their schemas.
"""

import json
import sys

from jsonschema import Draft202012Validator

count = 0
for line in sys.stdin:
    for known in json.loads(line)["data"]:
        Draft202012Validator.check_schema(known["schema"])
        for error in Draft202012Validator(known["schema"]).iter_errors(known["sample"]):
            sys.exit(f"{known['type']}: {error.message} at {error.json_path}")
        if Draft202012Validator(known["schema"]).is_valid("no such data"):
            sys.exit(f"{known['type']}: its schema says nothing")
        count += 1
print(count)
