// Endpoints in plain Node, one a mode. Answers each line on standard input with a line: `port`, `count` (connections or
// sessions so far), or `open` (lets held answers go).
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import fs from "node:fs";
import readline from "node:readline";

const [mode, argument, certificate, key] = process.argv.slice(2);
let connections = 0;
let held = [];
let isOpen = false;

const told = (request) => ({
  path: request.url,
  event: request.headers["webhook-id"],
  port: request.socket.remotePort,
});

// What the path says, as /STATUS/NUMBER/…: so many answers before the answer, by turns of every kind.
function interim(request, response) {
  const [, status, number] = request.url.split("/");
  const kinds = [
    () => response.writeEarlyHints({ link: "</style.css>; rel=preload" }),
    () => response.writeProcessing(),
    () => response.writeContinue(),
  ];
  for (let n = 0; n < Number(number); n += 1) kinds[n % kinds.length]();
  const body = JSON.stringify(told(request));
  const answer = () => response.writeHead(Number(status), { "content-type": "application/json" }).end(body);
  // The answer comes in a packet of its own.
  setTimeout(answer, 5);
}

function idle(response) {
  // A `Connection` of one's own: then Node does not say when it closes.
  response.writeHead(200, { connection: "keep-alive" }).end("ok");
}

// One that ends a session after each 20 requests, or when nothing has come for so many milliseconds.
function sessions(treat) {
  const pair = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
  const server = http2.createSecureServer(pair);
  server.on("session", (session) => {
    connections += 1;
    treat(session);
  });
  return server;
}

function answerTwo(stream, headers) {
  // Whoever asked may have stopped waiting.
  if (stream.destroyed) return;
  stream.resume();
  stream.on("error", () => {});
  stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
  stream.respond({ ":status": 200 });
  stream.end(JSON.stringify({ path: headers[":path"], event: headers["webhook-id"] }));
}

const modes = {
  interim: () => http.createServer((request, response) => request.resume().on("end", () => interim(request, response))),
  idle() {
    const server = http.createServer((request, response) => request.resume().on("end", () => idle(response)));
    server.keepAliveTimeout = Number(argument);
    return server;
  },
  tls: () =>
    https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, (request, response) =>
      request.resume().on("end", () => response.end("ok")),
    ),
  goaway() {
    const server = sessions((session) => {
      let requests = 0;
      session.on("stream", () => {
        requests += 1;
        if (requests === Number(argument)) session.close();
      });
    });
    return server.on("stream", answerTwo);
  },
  idletwo() {
    const server = sessions((session) => session.setTimeout(Number(argument), () => session.close()));
    return server.on("stream", answerTwo);
  },
  // Holds all answers until it is told, and takes so many streams at once.
  held() {
    const pair = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
    const server = http2.createSecureServer({ ...pair, settings: { maxConcurrentStreams: Number(argument) } });
    server.on("session", () => (connections += 1));
    return server.on("stream", (stream, headers) => {
      if (isOpen) answerTwo(stream, headers);
      else held.push(() => answerTwo(stream, headers));
    });
  },
};

const server = modes[mode]();
server.on(mode === "tls" ? "secureConnection" : "connection", () => {
  if (mode === "tls" || mode === "idle" || mode === "interim") connections += 1;
});
server.on("sessionError", () => {});
const listening = new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const questions = {
  port: () => server.address().port,
  count: () => connections,
  held: () => held.length,
  open() {
    isOpen = true;
    held.splice(0).forEach((answer) => answer());
    return "open";
  },
};
listening.then(() =>
  readline.createInterface({ input: process.stdin }).on("line", (line) => console.log(String(questions[line]()))),
);
