#!/usr/bin/env python3
"""Two users talk to an edge over TCP, in JSON lines, alone and in a group: talk.py HOST PORT

Written from docs/PROTOCOL.md alone, with nothing but the standard library: what this needs and the page doesn't say is a
fault of the page. Prints a line per step and `ok`, or says what went wrong and exits with 1.
"""

import json
import random
import signal
import socket
import string
import sys
import time
import uuid

WHOLE_RUN_S = 90
ANSWER_S = 10
EVENT_S = 10
MAX_SERVER_FRAME = 1024 * 1024
MAX_ID = 2**53 - 1


class Wrong(Exception):
    """Something is not as the page says."""


class Refused(Exception):
    """A call was answered by an error."""

    def __init__(self, call, error):
        super().__init__(f"{call} was refused: {error}")
        self.error = error


def check(condition, what):
    if not condition:
        raise Wrong(what)


def step(what):
    print(f"  {what}", flush=True)


class Client:
    """One connection."""

    def __init__(self, who, host, port):
        self.who = who
        self.socket = socket.create_connection((host, port), timeout=ANSWER_S)
        self.unread = b""
        self.events = []
        self.last_id = 0

    def close(self):
        self.socket.close()

    def write(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def read(self, deadline):
        """The next frame."""
        while b"\n" not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            more = self.socket.recv(65536)
            check(more, f"{self.who}: the edge closed the connection without saying why")
            self.unread += more
            check(len(self.unread) <= MAX_SERVER_FRAME + 65536, f"{self.who}: a frame is longer than 1 MiB")
        line, self.unread = self.unread.split(b"\n", 1)
        frame = json.loads(line)
        check("closing" not in frame, f"{self.who}: the edge closes: {frame.get('closing')}")
        return frame

    def answer(self, number, what):
        """The answer with this id; events that come before it are kept."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                frame = self.read(deadline)
            except TimeoutError:
                raise Wrong(f"{self.who}: {what} got no answer within {ANSWER_S} s") from None
            if "event" in frame:
                self.events.append(frame)
            else:
                check(frame.get("id") == number, f"{self.who}: {what}: expected the answer to {number}, got {frame}")
                return frame

    def call(self, name, body=None):
        """The reply. Repeats what was not executed or came too fast, as the page allows."""
        for attempt in range(5):
            self.last_id += 1
            frame = {"id": self.last_id, "call": name}
            if body is not None:
                frame["body"] = body
            self.write(json.dumps(frame))
            answer = self.answer(self.last_id, name)
            if "ok" in answer:
                return answer["ok"]
            error = answer["error"]
            for field in ("code", "message", "outcome", "retry_after_ms"):
                check(field in error, f"{name}: the error has no {field}: {error}")
            if error["code"] == "rate_limited":
                time.sleep(error["retry_after_ms"] / 1000)
            elif error["outcome"] == "not_executed" and name != "user.dance":
                time.sleep(random.uniform(0, 2**attempt / 4))
            else:
                break
        raise Refused(name, error)

    def refused(self, code, outcome, name, body=None):
        """The words of the error that the call must get."""
        try:
            reply = self.call(name, body)
        except Refused as refused:
            error = refused.error
            check(
                (error["code"], error["outcome"]) == (code, outcome),
                f"{self.who}: {name} {body}: expected {code}, {outcome}, got {error}",
            )
            return error["message"]
        raise Wrong(f"{self.who}: {name} {body}: expected {code}, got the reply {reply}")

    def event(self, name, /, **fields):
        """The body of the next event of this name with these fields; others before it are kept."""
        deadline = time.monotonic() + EVENT_S
        looked_at = 0
        while True:
            for i in range(looked_at, len(self.events)):
                frame = self.events[i]
                if frame["event"] == name and fields.items() <= frame["body"].items():
                    del self.events[i]
                    return frame["body"]
            looked_at = len(self.events)
            try:
                frame = self.read(deadline)
            except TimeoutError:
                raise Wrong(f"{self.who}: no {name} {fields} within {EVENT_S} s; only {self.events}") from None
            check("event" in frame, f"{self.who}: expected an event, got {frame}")
            self.events.append(frame)


def session_of(reply, user, name):
    check(reply["user"] == user and reply["name"] == name, f"the session is somebody else's: {reply}")
    check(isinstance(reply["token"], str) and len(reply["token"]) <= 128, f"not a token: {reply['token']}")
    check(reply["expires_at"] > time.time() * 1000, "the token has expired already")
    return reply["token"]


def send(client, to, text, client_id=None, **more):
    body = {"to": to, "client_id": client_id or str(uuid.uuid4()), "text": text, **more}
    return client.call("message.send", body)


class Cursors:
    """What a client holds of its conversations: up to which message, and up to which change of messages."""

    def __init__(self):
        self.have = {}
        self.revisions = {}

    def begin(self, client, conversation):
        """Learns where a conversation begins, of which the client holds nothing yet."""
        standings = client.call("message.unread")["conversations"]
        found = [standing for standing in standings if standing["conversation"] == conversation]
        check(len(found) == 1, f"{client.who} stands {len(found)} times in {conversation}: {standings}")
        self.have[conversation] = found[0]["read_seq"]
        self.revisions[conversation] = found[0]["revision"]

    def sync(self, client):
        """What the client doesn't have: messages, and messages that it has and that were changed."""
        messages, changed, more = [], [], True
        while more:
            page = client.call("message.sync", {"have": self.have, "revisions": self.revisions})
            for entry in page["messages"]:
                expected = self.have[entry["conversation"]] + 1
                check(entry["seq"] == expected, f"sync goes on with {entry}, not with {expected}")
                self.have[entry["conversation"]] = expected
            for entry in page["changed"]:
                known = self.revisions[entry["conversation"]]
                check(entry["revision"] > known, f"sync tells a change that is known: {entry}")
                self.revisions[entry["conversation"]] = entry["revision"]
            more = page["more"]
            check(not more or page["messages"] or page["changed"], "more is to come, but none came")
            messages += page["messages"]
            changed += page["changed"]
        return messages, changed

    def forget(self, conversation):
        del self.have[conversation]
        del self.revisions[conversation]


def talk(host, port):
    names = ["".join(random.choices(string.ascii_lowercase, k=12)) for _ in range(2)]
    passwords = [uuid.uuid4().hex for _ in range(2)]
    alice, bob = (Client(who, host, port) for who in ("alice", "bob"))

    a = alice.call("user.register", {"name": names[0], "password": passwords[0], "display_name": "Alice Ⓐ"})["user"]
    b = bob.call("user.register", {"name": names[1], "password": passwords[1]})["user"]
    check(a != b and 1 <= a <= MAX_ID and 1 <= b <= MAX_ID, f"not ids: {a}, {b}")
    step(f"registered {names[0]} as user {a} and {names[1]} as user {b}")

    alice.refused("unauthenticated", "rejected", "friend.list")
    alice.refused("unauthenticated", "rejected", "user.login", {"name": names[0], "password": "not it, sorry"})
    alice.refused("conflict", "rejected", "user.register", {"name": names[1].upper(), "password": passwords[0]})
    step("refused: a call before sign-in, a wrong password, a name that is taken")

    session_of(alice.call("user.login", {"name": names[0], "password": passwords[0]}), a, names[0])
    login = bob.call("user.login", {"name": names[1].upper(), "password": passwords[1], "device": "talk.py"})
    token = session_of(login, b, names[1])
    for what in ("friends", "groups", "unread"):
        check(login[what].get("available") == [] or "unavailable" in login[what], f"a new user has {what}: {login[what]}")
    step("signed in")

    found = alice.call("user.find", {"name": names[1].upper()})
    expected = {"user": b, "name": names[1], "display_name": names[1], "online": True}
    check(expected.items() <= found.items(), f"found {found}")
    alice.refused("not_found", "rejected", "user.find", {"name": names[1] + "x"})
    step("found")

    alice.refused("forbidden", "rejected", "message.send", {"to": {"user": b}, "client_id": str(uuid.uuid4()), "text": "Hi"})
    check(alice.call("friend.request", {"user": b})["friends"] is False, "friends before anybody accepted")
    asked = bob.event("friend.requested", user=a)
    check((asked["name"], asked["display_name"]) == (names[0], "Alice Ⓐ"), f"asked by {asked}")
    check([entry["user"] for entry in bob.call("friend.requests")["incoming"]] == [a], "the request isn't listed")
    step("requested, and refused to write to somebody who is no friend yet")

    check(bob.call("friend.accept", {"user": a}) == {}, "accepting replied something")
    bob.event("friend.accepted", user=a, online=True)
    alice.event("friend.accepted", user=b, online=True)
    check([friend["user"] for friend in alice.call("friend.list", {})["friends"]] == [b], "bob is not listed")
    step("accepted; both were told")

    to_alice, to_bob = {"user": a}, {"user": b}
    client_id = str(uuid.uuid4())
    sent = send(alice, to_bob, "Hello, Bob! 🦉\n\"quoted\"", client_id)
    conversation = sent["conversation"]
    check(conversation == f"u{min(a, b)}-u{max(a, b)}" and sent["seq"] == 1, f"sent as {sent}")
    for client in (alice, bob):
        pushed = client.event("message.new", conversation=conversation, seq=1)
        expected = {"from": a, "client_id": client_id, "text": "Hello, Bob! 🦉\n\"quoted\"", "sent_at": sent["sent_at"]}
        check(expected.items() <= pushed.items(), f"{client.who} was pushed {pushed}")
    check(send(bob, to_alice, "Hello, Alice!")["seq"] == 2, "the second message isn't the second")
    for client in (alice, bob):
        client.event("message.new", conversation=conversation, seq=2, text="Hello, Alice!")
    step("wrote both ways; both were pushed both messages")

    check(send(alice, to_bob, "Hello, Bob! 🦉\n\"quoted\"", client_id) == sent, "a repeat got another reply")
    again = {"to": {"user": b}, "client_id": client_id, "text": "something else"}
    alice.refused("conflict", "rejected", "message.send", again)
    step("a repeated send got the first reply; another text with its client_id was refused")

    bob.close()
    for number in range(3, 6):
        check(send(alice, to_bob, f"message {number}")["seq"] == number, f"message {number} has another seq")
    step("sent three messages while bob was away")

    bob = Client("bob", host, port)
    resumed = bob.call("user.resume", {"token": token})
    check(session_of(resumed, b, names[1]) != token, "resuming gave no new token")
    if "available" in resumed["unread"]:
        unread = resumed["unread"]["available"]
        there = [standing["last_seq"] for standing in unread if standing["conversation"] == conversation]
        check(there == [5], f"bob's conversations are {unread}")
    cursors = Cursors()
    cursors.have[conversation], cursors.revisions[conversation] = 2, 0
    messages, changed = cursors.sync(bob)
    missed = [(message["seq"], message["text"]) for message in messages]
    check(missed == [(number, f"message {number}") for number in range(3, 6)], f"sync gave {missed}")
    check(changed == [], f"nothing was changed, but sync gave {changed}")
    step("bob resumed, and sync gave the three messages once and in order")

    page = bob.call("message.history", {"conversation": conversation})["messages"]
    check([message["seq"] for message in page] == [1, 2, 3, 4, 5], f"history is {page}")
    page = bob.call("message.history", {"conversation": conversation, "before": 4, "limit": 2})["messages"]
    check([message["seq"] for message in page] == [2, 3], f"the page before 4 is {page}")
    check(bob.call("message.read", {"conversation": conversation, "seq": 5}) == {}, "reading replied something")
    alice.event("message.read", conversation=conversation, user=b, seq=5)
    (overview,) = bob.call("message.conversations")["conversations"]
    expected = {"conversation": conversation, "first_seq": 1, "last_seq": 5, "read_seq": 5, "revision": 0}
    check(expected.items() <= overview["standing"].items() and overview["open"], f"bob's conversation is {overview}")
    check((overview["last"]["seq"], overview["last"]["text"]) == (5, "message 5"), f"it ends in {overview['last']}")
    page = bob.call("message.history", {"conversation": conversation, "after": 2, "limit": 2})
    check([message["seq"] for message in page["messages"]] == [3, 4] and page["more"], f"the page after 2 is {page}")
    step("read history, back and forth; alice was told that bob has read")

    bob, token = talk_in_a_group(alice, bob, a, b, cursors, resumed["token"], lambda: Client("bob", host, port))

    alice.last_id += 1
    alice.write(json.dumps({"id": alice.last_id, "ping": {}}))
    check("pong" in alice.answer(alice.last_id, "ping"), "a ping got something else than a pong")
    alice.write('{"id":')
    error = alice.answer(0, "bad JSON")["error"]
    check(error["code"] == "invalid" and error["outcome"] == "rejected", f"bad JSON got {error}")
    alice.refused("unavailable", "not_executed", "user.dance", {})
    alice.refused("invalid", "rejected", "dance")
    check("name" in alice.refused("invalid", "rejected", "user.find", {}), "the missing field isn't named")
    check("nam" in alice.refused("invalid", "rejected", "user.find", {"name": "x", "nam": 1}), "nor the unknown one")
    elsewhere = {"conversation": f"u{MAX_ID - 1}-u{MAX_ID}"}
    alice.refused("not_found", "rejected", "message.history", elsewhere)
    step("bad JSON, unknown methods, missing and unknown fields and a stranger's conversation were refused")

    bob.call("friend.block", {"user": a})
    alice.event("friend.removed", user=b)
    alice.refused("forbidden", "rejected", "message.send", {"to": {"user": b}, "client_id": str(uuid.uuid4()), "text": "Hm?"})
    check(len(alice.call("message.history", {"conversation": conversation})["messages"]) == 5, "history is gone")
    step("bob blocked alice, whose next message was refused")

    bob.call("user.logout")
    bob.close()
    bob = Client("bob", host, port)
    bob.refused("unauthenticated", "rejected", "user.resume", {"token": token})
    bob.close()
    alice.close()
    step("bob signed out, and his token is void")


def talk_in_a_group(alice, bob, a, b, cursors, token, connect_bob):
    """Alice makes a group with bob, who is away for a while. Returns his connection and token."""
    name = "Reading circle 📚"
    group = alice.call("group.create", {"name": name, "members": [b]})["group"]
    conversation, to_group = f"g{group}", {"group": group}
    for client in (alice, bob):
        client.event("group.joined", group=group, name=name, by=a)
    cursors.begin(bob, conversation)
    (made,), _ = cursors.sync(bob)
    expected = {"conversation": conversation, "seq": 1, "from": a, "client_id": None, "text": ""}
    check(expected.items() <= made.items(), f"the group begins with {made}")
    check(made["notice"] == {"created": {"name": name, "members": [b]}}, f"the group begins with {made['notice']}")
    members = [(member["user"], member["role"]) for member in bob.call("group.members", {"group": group})["members"]]
    check(sorted(members) == sorted([(a, "owner"), (b, "member")]), f"the members are {members}")
    step(f"alice made group {group} with bob, who found its first notice by sync")

    check(send(alice, to_group, "Welcome, @bob!", mentions=[b])["seq"] == 2, "the second message isn't the second")
    bob.event("message.new", conversation=conversation, seq=2, text="Welcome, @bob!", mentions=[b], notice=None)
    payload = {"kind": "org.example.poll", "data": '{"book":["Emma","Persuasion"]}'}
    check(send(bob, to_group, "Which one is first?", quote=2, payload=payload)["seq"] == 3, "nor the third the third")
    alice.event("message.new", conversation=conversation, seq=3, quote=2, payload=payload)
    words = {"conversation": conversation, "seq": 3, "text": "Alice's words"}
    alice.refused("forbidden", "rejected", "message.edit", words)
    _, changed = cursors.sync(bob)
    check(changed == [], f"nothing was changed, but sync gave {changed}")
    step("mentioned, quoted, sent a payload; nobody edits another's words")

    bob.close()
    edit = {"conversation": conversation, "seq": 2, "text": "Welcome, Bob!"}
    react = {"conversation": conversation, "seq": 3, "reaction": "👍"}
    for _ in range(2):
        check(alice.call("message.edit", edit) == {"revision": 1}, "an edit, or its repeat, isn't the first change")
        check(alice.call("message.react", react) == {"revision": 2}, "a reaction, or its repeat, isn't the second")
    alice.event("message.edited", conversation=conversation, seq=2, revision=1, text="Welcome, Bob!")
    alice.event("message.reacted", conversation=conversation, seq=3, revision=2, user=a, reaction="👍", removed=False)
    step("alice edited and reacted while bob was away, each once whatever was repeated")

    bob = connect_bob()
    resumed = bob.call("user.resume", {"token": token})
    if "available" in resumed["groups"]:
        groups = [(entry["group"], entry["role"]) for entry in resumed["groups"]["available"]]
        check(groups == [(group, "member")], f"bob's groups are {resumed['groups']}")
    messages, changed = cursors.sync(bob)
    check(messages == [], f"bob had every message, but sync gave {messages}")
    edited, reacted_to = changed
    check((edited["seq"], edited["text"]) == (2, "Welcome, Bob!") and edited["edited_at"], f"the edited one is {edited}")
    reactions = [{"reaction": "👍", "count": 1, "mine": False}]
    check((reacted_to["seq"], reacted_to["reactions"]) == (3, reactions), f"the other one is {reacted_to}")
    check(cursors.revisions[conversation] == 2 and cursors.sync(bob) == ([], []), "sync tells changes twice")
    step("bob resumed, and sync gave both changes once and in order")

    recalled = {"conversation": conversation, "seq": 2}
    check(alice.call("message.recall", recalled) == {"revision": 3}, "the recall isn't the third change")
    bob.event("message.recalled", conversation=conversation, seq=2, revision=3, by=a)
    _, (gone,) = cursors.sync(bob)
    check((gone["text"], gone["mentions"], gone["recalled_by"]) == ("", [], a), f"recalled, it is still {gone}")
    for text, expected in (("WHICH fir", [3]), ("welcome", [])):
        found = bob.call("message.search", {"text": text, "conversation": conversation})["messages"]
        check([message["seq"] for message in found] == expected, f"a search for {text} found {found}")
    check(bob.call("message.read", {"conversation": conversation, "seq": 3}) == {}, "reading replied something")
    alice.event("message.read", conversation=conversation, user=b, seq=3)
    readers = alice.call("message.readers", {"conversation": conversation})["readers"]
    readers = {reader["user"]: reader["seq"] for reader in readers}
    check(set(readers) == {a, b} and readers[b] == 3, f"the readers are {readers}")
    step("alice recalled; search finds what is left, and readers shows who has read it")

    bob.refused("forbidden", "rejected", "group.kick", {"group": group, "user": a})
    check(alice.call("group.kick", {"group": group, "user": b}) == {}, "kicking replied something")
    bob.event("group.kicked", group=group, by=a)
    cursors.forget(conversation)
    bob.refused("not_found", "rejected", "message.history", {"conversation": conversation})
    kicked = alice.event("message.new", conversation=conversation, seq=4)
    check(kicked["notice"] == {"kicked": {"user": b}}, f"the notice is {kicked}")
    check(send(alice, to_group, "All alone")["seq"] == 5, "the fifth message isn't the fifth")
    check(cursors.sync(bob) == ([], []), "sync gives what was said after bob was put out")
    alice.call("group.dissolve", {"group": group})
    alice.event("group.dissolved", group=group, by=a)
    alice.refused("forbidden", "rejected", "message.send", {"to": to_group, "client_id": str(uuid.uuid4()), "text": "Hm?"})
    check(alice.call("group.list")["groups"] == [], "a dissolved group is listed")
    step("alice put bob out, who reads nothing more of it, and dissolved the group")
    return bob, resumed["token"]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: talk.py HOST PORT (the edge's TCP port, 7667 by default)")

    def too_long(*_):
        raise Wrong(f"not done within {WHOLE_RUN_S} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(WHOLE_RUN_S)
    try:
        talk(sys.argv[1], int(sys.argv[2]))
    except (Wrong, Refused, OSError, ValueError, KeyError) as error:
        sys.exit(f"talk.py failed: {type(error).__name__}: {error}")
    print("ok")


if __name__ == "__main__":
    main()
