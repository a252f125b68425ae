"""What a guide's example leaves to its reader: a Flask app that listens, and the secret.

For the test it prints its port, then one line of JSON a request. The secret is in WEBHOOK_SECRET.
"""

import json
import logging
import os
import sys

from flask import request
from werkzeug.serving import WSGIRequestHandler, make_server

WEBHOOK_SECRET = os.environ["WEBHOOK_SECRET"]


def listen(app):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"

    @app.after_request
    def report(response):
        say(
            {
                "method": request.method,
                "path": request.full_path.rstrip("?"),
                "headers": {name.lower(): value for name, value in request.headers},
                "body": request.get_data(as_text=True),
                "status": response.status_code,
            }
        )
        return response

    server = make_server("127.0.0.1", 0, app, threaded=True)
    say({"port": server.server_port})
    server.serve_forever()


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
