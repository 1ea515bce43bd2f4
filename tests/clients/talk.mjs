#!/usr/bin/env node
// Two users talk to an edge over WebSocket, in JSON, alone and in a group: node talk.mjs HOST PORT
//
// Written from docs/PROTOCOL.md alone, with nothing but Node 20's standard library: what this needs and the page doesn't
// say is a fault of the page. Prints a line per step and `ok`, or says what went wrong and exits with 1.

import { createHash, randomBytes, randomUUID } from "node:crypto";
import http from "node:http";
import { isDeepStrictEqual } from "node:util";

const WHOLE_RUN_MS = 90_000;
const ANSWER_MS = 10_000;
const EVENT_MS = 10_000;
const MAX_SERVER_FRAME = 1024 * 1024;
const MAX_ID = Number.MAX_SAFE_INTEGER;

class Wrong extends Error {}

class Refused extends Error {
  constructor(call, error) {
    super(`${call} was refused: ${JSON.stringify(error)}`);
    this.error = error;
  }
}

function check(condition, what) {
  if (!condition) throw new Wrong(what);
}

const step = (what) => console.log(`  ${what}`);
const show = (value) => JSON.stringify(value);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Whether `value` has all of `fields`, and maybe more. */
const has = (value, fields) => Object.entries(fields).every(([key, field]) => isDeepStrictEqual(value[key], field));

/** As much of RFC 6455 as a client needs. */
class WebSocket {
  static CONTINUATION = 0x0;
  static TEXT = 0x1;
  static CLOSE = 0x8;
  static PING = 0x9;
  static PONG = 0xa;

  static connect(host, port, path) {
    return new Promise((resolve, reject) => {
      const key = randomBytes(16).toString("base64");
      const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": key };
      const request = http.get({ host, port, path, headers, timeout: ANSWER_MS });
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Wrong("the upgrade took too long")));
      request.on("response", (response) => reject(new Wrong(`no upgrade, but HTTP ${response.statusCode}`)));
      request.on("upgrade", (response, socket, head) => {
        const proof = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        if (response.headers["sec-websocket-accept"] !== proof) return reject(new Wrong("the upgrade lacks its proof"));
        socket.setTimeout(0);
        resolve(new WebSocket(socket, head));
      });
    });
  }

  constructor(socket, head) {
    this.socket = socket;
    this.unread = head;
    this.fragments = [];
    this.onText = () => {};
    this.onEnd = () => {};
    socket.on("data", (more) => {
      this.unread = Buffer.concat([this.unread, more]);
      try {
        while (this.readFrame());
      } catch (error) {
        this.end(error);
      }
    });
    socket.on("error", (error) => this.onEnd(error));
    socket.on("close", () => this.onEnd(new Wrong("the edge closed the connection")));
  }

  /** Whether a whole frame was there. */
  readFrame() {
    const { unread } = this;
    if (unread.length < 2) return false;
    const [final, opcode, masked] = [unread[0] >> 7 === 1, unread[0] & 0xf, unread[1] >> 7 === 1];
    check((unread[0] & 0x70) === 0, "a frame uses an extension that nobody asked for");
    check(!masked, "a server doesn't mask");
    let [start, length] = [2, unread[1] & 0x7f];
    if (length >= 126) {
      start += length === 126 ? 2 : 8;
      if (unread.length < start) return false;
      length = start === 4 ? unread.readUInt16BE(2) : Number(unread.readBigUInt64BE(2));
    }
    check(length <= MAX_SERVER_FRAME, `a frame has ${length} bytes`);
    if (unread.length < start + length) return false;
    this.unread = unread.subarray(start + length);
    this.take(opcode, final, unread.subarray(start, start + length));
    return true;
  }

  take(opcode, final, payload) {
    if (opcode === WebSocket.TEXT || opcode === WebSocket.CONTINUATION) {
      this.fragments.push(payload);
      if (final) {
        const text = Buffer.concat(this.fragments).toString("utf8");
        this.fragments = [];
        this.onText(text);
      }
    } else if (opcode === WebSocket.PING) {
      this.write(WebSocket.PONG, payload);
    } else if (opcode === WebSocket.CLOSE) {
      this.end(new Wrong("the edge closed the WebSocket"));
    } else {
      check(opcode === WebSocket.PONG, `a message of kind ${opcode} after text messages`);
    }
  }

  write(opcode, payload) {
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    this.socket.write(Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
  }

  writeText(text) {
    this.write(WebSocket.TEXT, Buffer.from(text, "utf8"));
  }

  end(why) {
    this.onEnd(why);
    this.socket.destroy();
  }
}

/** One connection. */
class Client {
  static async connect(who, host, port) {
    return new Client(who, await WebSocket.connect(host, port, "/ws"));
  }

  constructor(who, socket) {
    this.who = who;
    this.socket = socket;
    this.lastId = 0;
    this.answers = new Map();
    this.events = [];
    this.wake = () => {};
    this.ended = null;
    socket.onText = (text) => this.take(text);
    socket.onEnd = (why) => {
      this.ended ??= why;
      this.wake();
    };
  }

  take(text) {
    const frame = JSON.parse(text);
    if (frame.closing) this.ended ??= new Wrong(`the edge closes: ${show(frame.closing)}`);
    else if (frame.event !== undefined) this.events.push(frame);
    else this.answers.set(frame.id, frame);
    this.wake();
  }

  close() {
    this.ended = new Wrong("closed by the test itself");
    this.socket.socket.destroy();
  }

  /** What `find` returns, as soon as it returns something. */
  async wait(find, ms, what) {
    const deadline = Date.now() + ms;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.ended) throw new Wrong(`${this.who}: waiting for ${what}: ${this.ended.message}`);
      const left = deadline - Date.now();
      check(left > 0, `${this.who}: no ${what} within ${ms} ms; events: ${show(this.events)}`);
      let timer;
      await new Promise((resolve) => {
        this.wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  async answer(id, what) {
    const frame = await this.wait(() => this.answers.get(id), ANSWER_MS, `answer to ${what}`);
    this.answers.delete(id);
    return frame;
  }

  /** The reply. Repeats what was not executed or came too fast, as the page allows. */
  async call(name, body) {
    let error;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const id = (this.lastId += 1);
      this.socket.writeText(JSON.stringify({ id, call: name, body }));
      const answer = await this.answer(id, name);
      if (answer.ok !== undefined) return answer.ok;
      error = answer.error;
      for (const field of ["code", "message", "outcome", "retry_after_ms"]) {
        check(error?.[field] !== undefined, `${name}: the error has no ${field}: ${show(answer)}`);
      }
      if (error.code === "rate_limited") await pause(error.retry_after_ms);
      else if (error.outcome === "not_executed" && name !== "user.dance") await pause((Math.random() * 2 ** attempt * 1000) / 4);
      else break;
    }
    throw new Refused(name, error);
  }

  /** The words of the error that the call must get. */
  async refused(code, outcome, name, body) {
    let reply;
    try {
      reply = await this.call(name, body);
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      const { error } = refused;
      check(has(error, { code, outcome }), `${this.who}: ${name}: expected ${code}, ${outcome}, got ${show(error)}`);
      return error.message;
    }
    throw new Wrong(`${this.who}: ${name} ${show(body)}: expected ${code}, got the reply ${show(reply)}`);
  }

  /** The body of the next event of this name with these fields; others stay. */
  async event(name, fields) {
    const find = () => {
      const at = this.events.findIndex(({ event, body }) => event === name && has(body, fields));
      return at < 0 ? undefined : this.events.splice(at, 1)[0].body;
    };
    return this.wait(find, EVENT_MS, `${name} ${show(fields)}`);
  }

  send(to, text, more = {}) {
    return this.call("message.send", { to, client_id: randomUUID(), text, ...more });
  }
}

/** What a client holds of its conversations: up to which message, and up to which change of messages. */
class Cursors {
  have = {};
  revisions = {};

  /** Learns where a conversation begins, of which the client holds nothing yet. */
  async begin(client, conversation) {
    const { conversations } = await client.call("message.unread");
    const standing = conversations.find((other) => other.conversation === conversation);
    check(standing, `${client.who} stands only in ${show(conversations)}`);
    this.have[conversation] = standing.read_seq;
    this.revisions[conversation] = standing.revision;
  }

  /** What the client doesn't have: messages, and messages that it has and that were changed. */
  async sync(client) {
    const [messages, changed] = [[], []];
    for (let more = true; more; ) {
      const page = await client.call("message.sync", { have: this.have, revisions: this.revisions });
      for (const entry of page.messages) {
        const expected = this.have[entry.conversation] + 1;
        check(entry.seq === expected, `sync goes on with ${show(entry)}, not with ${expected}`);
        this.have[entry.conversation] = expected;
      }
      for (const entry of page.changed) {
        const known = this.revisions[entry.conversation];
        check(entry.revision > known, `sync tells a change that is known: ${show(entry)}`);
        this.revisions[entry.conversation] = entry.revision;
      }
      more = page.more;
      check(!more || page.messages.length + page.changed.length > 0, "more is to come, but none came");
      messages.push(...page.messages);
      changed.push(...page.changed);
    }
    return { messages, changed };
  }

  forget(conversation) {
    delete this.have[conversation];
    delete this.revisions[conversation];
  }
}

function tokenOf(session, user, name) {
  check(has(session, { user, name }), `the session is somebody else's: ${show(session)}`);
  check(typeof session.token === "string" && session.token.length <= 128, `not a token: ${session.token}`);
  check(session.expires_at > Date.now(), "the token has expired already");
  return session.token;
}

async function talk(host, port) {
  const randomName = () => `n${randomBytes(6).toString("hex")}`;
  const [names, passwords] = [[randomName(), randomName()], [randomUUID(), randomUUID()]];
  const alice = await Client.connect("alice", host, port);
  let bob = await Client.connect("bob", host, port);

  const registration = { name: names[0], password: passwords[0], display_name: "Alice Ⓐ" };
  const { user: a } = await alice.call("user.register", registration);
  const { user: b } = await bob.call("user.register", { name: names[1], password: passwords[1] });
  check(a !== b && a >= 1 && b >= 1 && a <= MAX_ID && b <= MAX_ID, `not ids: ${a}, ${b}`);
  step(`registered ${names[0]} as user ${a} and ${names[1]} as user ${b}`);

  await alice.refused("unauthenticated", "rejected", "friend.list");
  await alice.refused("unauthenticated", "rejected", "user.login", { name: names[0], password: "not it, sorry" });
  await alice.refused("conflict", "rejected", "user.register", { name: names[1].toUpperCase(), password: passwords[0] });
  step("refused: a call before sign-in, a wrong password, a name that is taken");

  tokenOf(await alice.call("user.login", { name: names[0], password: passwords[0] }), a, names[0]);
  const login = { name: names[1].toUpperCase(), password: passwords[1], device: "talk.mjs" };
  const session = await bob.call("user.login", login);
  const token = tokenOf(session, b, names[1]);
  for (const what of ["friends", "groups", "unread"]) {
    const fine = session[what].unavailable || isDeepStrictEqual(session[what].available, []);
    check(fine, `a new user has ${what}: ${show(session[what])}`);
  }
  step("signed in");

  const found = await alice.call("user.find", { name: names[1].toUpperCase() });
  check(has(found, { user: b, name: names[1], display_name: names[1], online: true }), `found ${show(found)}`);
  await alice.refused("not_found", "rejected", "user.find", { name: `${names[1]}x` });
  step("found");

  const message = (text, clientId = randomUUID()) => ({ to: { user: b }, client_id: clientId, text });
  await alice.refused("forbidden", "rejected", "message.send", message("Hi"));
  check((await alice.call("friend.request", { user: b })).friends === false, "friends before anybody accepted");
  const asked = await bob.event("friend.requested", { user: a });
  check(has(asked, { name: names[0], display_name: "Alice Ⓐ" }), `asked by ${show(asked)}`);
  const { incoming } = await bob.call("friend.requests");
  check(incoming.length === 1 && incoming[0].user === a, `waiting: ${show(incoming)}`);
  step("requested, and refused to write to somebody who is no friend yet");

  check(isDeepStrictEqual(await bob.call("friend.accept", { user: a }), {}), "accepting replied something");
  await bob.event("friend.accepted", { user: a, online: true });
  await alice.event("friend.accepted", { user: b, online: true });
  const { friends } = await alice.call("friend.list", {});
  check(friends.length === 1 && friends[0].user === b, `friends: ${show(friends)}`);
  step("accepted; both were told");

  const [toAlice, toBob] = [{ user: a }, { user: b }];
  const [clientId, hello] = [randomUUID(), 'Hello, Bob! 🦉\n"quoted"'];
  const sent = await alice.send(toBob, hello, { client_id: clientId });
  const { conversation } = sent;
  check(conversation === `u${Math.min(a, b)}-u${Math.max(a, b)}` && sent.seq === 1, `sent as ${show(sent)}`);
  for (const client of [alice, bob]) {
    const pushed = await client.event("message.new", { conversation, seq: 1 });
    const expected = { from: a, client_id: clientId, text: hello, sent_at: sent.sent_at };
    check(has(pushed, expected), `${client.who} was pushed ${show(pushed)}`);
  }
  check((await bob.send(toAlice, "Hello, Alice!")).seq === 2, "the second message isn't the second");
  for (const client of [alice, bob]) await client.event("message.new", { conversation, seq: 2, text: "Hello, Alice!" });
  step("wrote both ways; both were pushed both messages");

  check(isDeepStrictEqual(await alice.send(toBob, hello, { client_id: clientId }), sent), "a repeat got another reply");
  await alice.refused("conflict", "rejected", "message.send", message("something else", clientId));
  step("a repeated send got the first reply; another text with its client_id was refused");

  bob.close();
  for (const seq of [3, 4, 5]) {
    check((await alice.send(toBob, `message ${seq}`)).seq === seq, `message ${seq} has another seq`);
  }
  step("sent three messages while bob was away");

  bob = await Client.connect("bob", host, port);
  const resumed = await bob.call("user.resume", { token });
  check(tokenOf(resumed, b, names[1]) !== token, "resuming gave no new token");
  const there = resumed.unread.available?.find((entry) => entry.conversation === conversation);
  check(resumed.unread.unavailable || there?.last_seq === 5, `bob's conversations are ${show(resumed.unread)}`);
  const cursors = new Cursors();
  [cursors.have[conversation], cursors.revisions[conversation]] = [2, 0];
  const missed = await cursors.sync(bob);
  const expected = [3, 4, 5].map((seq) => [seq, `message ${seq}`]);
  const got = missed.messages.map(({ seq, text }) => [seq, text]);
  check(isDeepStrictEqual(got, expected) && missed.changed.length === 0, `sync gave ${show(missed)}`);
  step("bob resumed, and sync gave the three messages once and in order");

  const history = async (client, more) => (await client.call("message.history", { conversation, ...more })).messages.map(({ seq }) => seq);
  const whole = await history(bob);
  check(isDeepStrictEqual(whole, [1, 2, 3, 4, 5]), `history is ${whole}`);
  const page = await history(bob, { before: 4, limit: 2 });
  check(isDeepStrictEqual(page, [2, 3]), `the page before 4 is ${page}`);
  check(isDeepStrictEqual(await bob.call("message.read", { conversation, seq: 5 }), {}), "reading replied something");
  await alice.event("message.read", { conversation, user: b, seq: 5 });
  const { conversations } = await bob.call("message.conversations");
  const standing = { conversation, first_seq: 1, last_seq: 5, read_seq: 5, revision: 0 };
  const [overview] = conversations;
  const read = conversations.length === 1 && has(overview.standing, standing) && overview.open;
  check(read && has(overview.last, { seq: 5, text: "message 5" }), `bob's conversations are ${show(conversations)}`);
  const forth = await bob.call("message.history", { conversation, after: 2, limit: 2 });
  const seqs = forth.messages.map(({ seq }) => seq);
  check(isDeepStrictEqual(seqs, [3, 4]) && forth.more, `the page after 2 is ${show(forth)}`);
  step("read history, back and forth; alice was told that bob has read");

  const people = { alice, bob, a, b, cursors, token: resumed.token, connectBob: () => Client.connect("bob", host, port) };
  const newest = await talkInAGroup(people);
  bob = newest.bob;

  const id = (alice.lastId += 1);
  alice.socket.writeText(JSON.stringify({ id, ping: {} }));
  check((await alice.answer(id, "ping")).pong !== undefined, "a ping got something else than a pong");
  alice.socket.writeText('{"id":');
  const { error } = await alice.answer(0, "bad JSON");
  check(has(error ?? {}, { code: "invalid", outcome: "rejected" }), `bad JSON got ${show(error)}`);
  await alice.refused("unavailable", "not_executed", "user.dance", {});
  await alice.refused("invalid", "rejected", "dance");
  check((await alice.refused("invalid", "rejected", "user.find", {})).includes("name"), "the missing field isn't named");
  const unknown = await alice.refused("invalid", "rejected", "user.find", { name: "x", nam: 1 });
  check(unknown.includes("nam"), "the unknown field isn't named");
  const elsewhere = { conversation: `u${MAX_ID - 1}-u${MAX_ID}` };
  await alice.refused("not_found", "rejected", "message.history", elsewhere);
  step("bad JSON, unknown methods, missing and unknown fields and a stranger's conversation were refused");

  await bob.call("friend.block", { user: a });
  await alice.event("friend.removed", { user: b });
  await alice.refused("forbidden", "rejected", "message.send", message("Hm?"));
  check((await history(alice)).length === 5, "history is gone");
  step("bob blocked alice, whose next message was refused");

  await bob.call("user.logout");
  bob.close();
  bob = await Client.connect("bob", host, port);
  await bob.refused("unauthenticated", "rejected", "user.resume", { token: newest.token });
  bob.close();
  alice.close();
  step("bob signed out, and his token is void");
}

/** Alice makes a group with bob, who is away for a while. Returns his connection and token. */
async function talkInAGroup({ alice, bob, a, b, cursors, token, connectBob }) {
  const name = "Reading circle 📚";
  const { group } = await alice.call("group.create", { name, members: [b] });
  const [conversation, toGroup] = [`g${group}`, { group }];
  for (const client of [alice, bob]) await client.event("group.joined", { group, name, by: a });
  await cursors.begin(bob, conversation);
  const [made] = (await cursors.sync(bob)).messages;
  const notice = { created: { name, members: [b] } };
  check(has(made, { conversation, seq: 1, from: a, client_id: null, text: "", notice }), `it begins with ${show(made)}`);
  const { members } = await bob.call("group.members", { group });
  const roles = Object.fromEntries(members.map(({ user, role }) => [user, role]));
  check(isDeepStrictEqual(roles, { [a]: "owner", [b]: "member" }), `the members are ${show(members)}`);
  step(`alice made group ${group} with bob, who found its first notice by sync`);

  check((await alice.send(toGroup, "Welcome, @bob!", { mentions: [b] })).seq === 2, "the second message isn't the second");
  await bob.event("message.new", { conversation, seq: 2, text: "Welcome, @bob!", mentions: [b], notice: null });
  const payload = { kind: "org.example.poll", data: '{"book":["Emma","Persuasion"]}' };
  const asked = await bob.send(toGroup, "Which one is first?", { quote: 2, payload });
  check(asked.seq === 3, "the third message isn't the third");
  await alice.event("message.new", { conversation, seq: 3, quote: 2, payload });
  await alice.refused("forbidden", "rejected", "message.edit", { conversation, seq: 3, text: "Alice's words" });
  check((await cursors.sync(bob)).changed.length === 0, "nothing was changed, but sync gave changes");
  step("mentioned, quoted, sent a payload; nobody edits another's words");

  bob.close();
  for (let time = 0; time < 2; time += 1) {
    const edited = await alice.call("message.edit", { conversation, seq: 2, text: "Welcome, Bob!" });
    check(edited.revision === 1, `an edit, or its repeat, isn't the first change, but ${show(edited)}`);
    const reacted = await alice.call("message.react", { conversation, seq: 3, reaction: "👍" });
    check(reacted.revision === 2, `a reaction, or its repeat, isn't the second change, but ${show(reacted)}`);
  }
  await alice.event("message.edited", { conversation, seq: 2, revision: 1, text: "Welcome, Bob!" });
  await alice.event("message.reacted", { conversation, seq: 3, revision: 2, user: a, reaction: "👍", removed: false });
  step("alice edited and reacted while bob was away, each once whatever was repeated");

  bob = await connectBob();
  const resumed = await bob.call("user.resume", { token });
  const groups = resumed.groups.available?.map((entry) => [entry.group, entry.role]);
  check(!groups || isDeepStrictEqual(groups, [[group, "member"]]), `bob's groups are ${show(resumed.groups)}`);
  const { messages, changed } = await cursors.sync(bob);
  check(messages.length === 0 && changed.length === 2, `sync gave ${show({ messages, changed })}`);
  const reactions = [{ reaction: "👍", count: 1, mine: false }];
  check(has(changed[0], { seq: 2, text: "Welcome, Bob!", revision: 1 }), `the edited one is ${show(changed[0])}`);
  check(has(changed[1], { seq: 3, reactions, revision: 2 }), `the other one is ${show(changed[1])}`);
  check(isDeepStrictEqual(await cursors.sync(bob), { messages: [], changed: [] }), "sync tells changes twice");
  step("bob resumed, and sync gave both changes once and in order");

  const recall = await alice.call("message.recall", { conversation, seq: 2 });
  check(recall.revision === 3, `the recall isn't the third change, but ${show(recall)}`);
  await bob.event("message.recalled", { conversation, seq: 2, revision: 3, by: a });
  const gone = (await cursors.sync(bob)).changed;
  const erased = gone.length === 1 && has(gone[0], { seq: 2, text: "", mentions: [], recalled_by: a });
  check(erased, `recalled, it is still ${show(gone)}`);
  for (const [text, expected] of [["WHICH fir", [3]], ["welcome", []]]) {
    const found = await bob.call("message.search", { text, conversation });
    const seqs = found.messages.map(({ seq }) => seq);
    check(isDeepStrictEqual(seqs, expected), `a search for ${text} found ${show(found)}`);
  }
  check(isDeepStrictEqual(await bob.call("message.read", { conversation, seq: 3 }), {}), "reading replied something");
  await alice.event("message.read", { conversation, user: b, seq: 3 });
  const { readers } = await alice.call("message.readers", { conversation });
  const readByBob = readers.length === 2 && readers.some((reader) => has(reader, { user: b, seq: 3 }));
  check(readByBob, `the readers are ${show(readers)}`);
  step("alice recalled; search finds what is left, and readers shows who has read it");

  await bob.refused("forbidden", "rejected", "group.kick", { group, user: a });
  check(isDeepStrictEqual(await alice.call("group.kick", { group, user: b }), {}), "kicking replied something");
  await bob.event("group.kicked", { group, by: a });
  cursors.forget(conversation);
  await bob.refused("not_found", "rejected", "message.history", { conversation });
  await alice.event("message.new", { conversation, seq: 4, notice: { kicked: { user: b } } });
  check((await alice.send(toGroup, "All alone")).seq === 5, "the fifth message isn't the fifth");
  const after = await cursors.sync(bob);
  check(isDeepStrictEqual(after, { messages: [], changed: [] }), `put out, bob was given ${show(after)}`);
  await alice.call("group.dissolve", { group });
  await alice.event("group.dissolved", { group, by: a });
  const late = { to: toGroup, client_id: randomUUID(), text: "Hm?" };
  await alice.refused("forbidden", "rejected", "message.send", late);
  check((await alice.call("group.list")).groups.length === 0, "a dissolved group is listed");
  step("alice put bob out, who reads nothing more of it, and dissolved the group");
  return { bob, token: resumed.token };
}

function fail(why) {
  console.error(`talk.mjs failed: ${why}`);
  process.exit(1);
}

if (process.argv.length !== 4) fail("usage: talk.mjs HOST PORT (the edge's HTTP port, 7668 by default)");
setTimeout(() => fail(`not done within ${WHOLE_RUN_MS} ms`), WHOLE_RUN_MS).unref();
try {
  await talk(process.argv[2], Number(process.argv[3]));
  console.log("ok");
  process.exit(0);
} catch (error) {
  fail(`${error.name}: ${error.message}`);
}
