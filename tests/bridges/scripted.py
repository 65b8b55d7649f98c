"""A bridge without WhatsApp: it speaks bridges/protocol as its README says, in another language than the supervisor,
and can be told to misbehave. Only for tests.

Usage: scripted.py MODE [ENGINE VERSION]. Modes are listed in `MODES`.

Its network is played within: a session without a device is shown a code and scanned at once; a text is acked,
delivered, and answered by the same text when its body begins with "echo "; a file comes back with its caption. Numbers ending in 0463 are refused with
that code, those ending in 0408 are never acked, those ending in 0666 end the process in the middle of the command.
"""

import base64
import json
import os
import signal
import socket
import sys
import threading
import time

MODES = [
    "good",
    "late-hello",  # says hello after 15 s
    "wrong-token",
    "wrong-protocol",
    "wrong-engine",
    "testbed",  # says that it trusts anybody
    "no-heartbeat",
    "garbage",  # writes something that is no frame once a session opens
    "endless-line",  # writes a line that never ends
    "flood",  # more unconfirmed events than the window
    "questions",  # more unanswered questions to the vault than allowed
    "gap",  # leaves an event's number out
    "deaf",  # does not read after its welcome
    "dies-at-once",
    "clings",  # ignores shutdown, SIGTERM and the end of its lifelines
    "silent-session",  # opens sessions and never says anything of them
    "forks",  # leaves a child in its process group
    "proxied",  # takes proxies, and says in its code which one it was given
    "passkey",  # pairing comes to a passkey, in each of its stages, and no further
    "closes-slowly",  # takes two seconds to close a session
    "never-closes",  # does not close a session, and answers nothing to it
    # What it leaves in the media folder when it is to fetch a file:
    "media-symlink",  # a link to another file
    "media-hardlink",  # another name of another file
    "media-pipe",  # a pipe that nobody writes to
    "media-larger",  # more than it says
    "media-smaller",  # less than it says
    "media-nothing",  # nothing
    "media-elsewhere",  # a file, under another name
    "media-dies",  # half of it: it ends in the middle
    "media-silent",  # half of it: it never answers
]

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
ENGINE = sys.argv[2] if len(sys.argv) > 2 else "scripted"
VERSION = sys.argv[3] if len(sys.argv) > 3 else "1.0.0"
WINDOW = 256
# Those for a session.
COMMANDS = "close log_out pair_code send mark_read typing check_number groups contacts fetch_media ping".split()


def b64(data):
    return base64.b64encode(data).decode()


class Bridge:
    def __init__(self, boot):
        self.lock = threading.Lock()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(boot["socket"])
        self.boot = boot
        self.questions = {}
        self.last_question = 0
        self.sessions = {}
        self.newest = {}
        self.draining = False
        self.media, self.bodies = None, {}

    def say(self, frame):
        line = (json.dumps(frame) + "\n").encode()
        try:
            with self.lock:
                self.sock.sendall(line)
        except OSError:
            end(0)

    def hello(self):
        capabilities = ["pair_qr", "pair_code", "hold_inbound", "caller_ids", "text", "check_number", "endpoint", "media"]
        if MODE == "testbed":
            capabilities.append("testbed")
        if MODE == "proxied":
            capabilities.append("proxy")
        if MODE == "passkey":
            capabilities.append("passkey")
        self.say(
            {
                "t": "hello",
                "protocol": 99 if MODE == "wrong-protocol" else 1,
                "token": "0" * 64 if MODE == "wrong-token" else self.boot["token"],
                "pid": os.getpid(),
                "engine": "other" if MODE == "wrong-engine" else ENGINE,
                "version": VERSION,
                "build": "test",
                "vault_format": 1,
                "capabilities": capabilities,
            }
        )

    def heartbeat(self, every):
        if MODE in ("no-heartbeat",):
            return
        due = time.monotonic()
        while True:
            lag = max(0, int((time.monotonic() - due) * 1000))
            states = {}
            for session in list(self.sessions.values()):
                states[session.state] = states.get(session.state, 0) + 1
            self.say({"t": "heartbeat", "rss_kib": rss_kib(), "lag_ms": lag, "sessions": states})
            due = time.monotonic() + every / 1000
            time.sleep(every / 1000)

    def ask(self, session, call):
        """A question to a session's vault, and its answer; asked again while the vault is away."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.ask_once(session, call)
            except Vault as error:
                if str(error) != "unavailable" or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def ask_once(self, session, call):
        done = threading.Event()
        with self.lock:
            self.last_question += 1
            number = self.last_question
            self.questions[number] = [done, None]
        with session.calls:
            if session.state == "closing" and call["call"] != "close":
                raise Vault("closed")
            self.say({"t": "vault", "id": number, "session": session.id, "epoch": session.epoch, "call": call})
        done.wait()
        answer = self.questions.pop(number)[1]
        if "error" in answer:
            raise Vault(answer["error"]["code"])
        return answer["ok"]

    def reply(self, frame, **outcome):
        self.say({"t": "reply", "id": frame["id"], **outcome})

    def fail(self, frame, code):
        self.reply(frame, error={"code": code})

    def command(self, frame):
        do = frame["do"]
        name = do["cmd"]
        if name == "shutdown":
            self.reply(frame, ok={"is": "done"})
            if MODE != "clings":
                end(0)
        elif name == "drain":
            self.draining = True
            for session in list(self.sessions.values()):
                session.close("requested")
            self.reply(frame, ok={"is": "done"})
        elif name == "stats":
            self.reply(frame, ok={"is": "stats", "counters": {"sessions": len(self.sessions)}})
        elif name == "open":
            if self.draining:
                return self.fail(frame, "draining")
            old = self.sessions.get(frame["session"])
            if old and old.epoch >= frame["epoch"] or self.newest.get(frame["session"], -1) > frame["epoch"]:
                return self.fail(frame, "fenced")
            self.newest[frame["session"]] = frame["epoch"]
            if old:
                old.close("requested")
            session = Session(self, frame["session"], frame["epoch"])
            session.proxy = do.get("proxy")
            self.sessions[session.id] = session
            self.reply(frame, ok={"is": "done"})
            threading.Thread(target=session.run, daemon=True).start()
        elif name not in COMMANDS:
            self.fail(frame, "unsupported")
        else:
            session = self.sessions.get(frame.get("session"))
            if self.newest.get(frame.get("session"), -1) > frame.get("epoch", -1):
                return self.fail(frame, "fenced")
            if session is None or session.epoch != frame["epoch"]:
                if name == "close":
                    return self.reply(frame, ok={"is": "done"})
                return self.fail(frame, "no_link")
            session.command(frame, name, do)

    def read(self):
        for line in self.sock.makefile("rb"):
            frame = json.loads(line)
            kind = frame["t"]
            if kind == "welcome":
                self.media = frame["media"]
                threading.Thread(target=self.heartbeat, args=(frame["heartbeat_ms"],), daemon=True).start()
                if MODE == "deaf":
                    time.sleep(3600)
                if MODE == "clings":
                    os.kill(os.getpid(), 0)
            elif kind == "refused":
                end(64)
            elif kind == "command":
                threading.Thread(target=self.command, args=(frame,), daemon=True).start()
            elif kind == "confirm":
                session = self.sessions.get(frame["session"])
                if session and session.epoch == frame["epoch"]:
                    session.confirmed(frame["seq"])
            elif kind == "vault":
                waiting = self.questions.get(frame["id"])
                if waiting:
                    waiting[1] = frame
                    waiting[0].set()
        end(0)


class Vault(Exception):
    pass


class Session:
    def __init__(self, bridge, session, epoch):
        self.bridge, self.id, self.epoch = bridge, session, epoch
        self.seq, self.state, self.over = 0, "connecting", False
        self.proxy = None
        self.lock, self.calls = threading.Lock(), threading.Lock()
        self.free = threading.Condition(self.lock)
        self.unconfirmed = {}

    def event(self, event, is_last=False, number=None):
        with self.lock:
            while len(self.unconfirmed) >= WINDOW and not is_last and MODE != "flood":
                self.free.wait()
            if self.over:
                return
            self.over = is_last
            self.seq = number or self.seq + 1
            self.unconfirmed[self.seq] = event
            frame = {"t": "event", "session": self.id, "epoch": self.epoch, "seq": self.seq, "event": event}
            self.bridge.say(frame)

    def confirmed(self, numbers):
        with self.lock:
            held = [self.unconfirmed.pop(number, None) for number in numbers]
            self.free.notify_all()
        # Acknowledged to the network: it does not come again.
        for event in held:
            if event and event["event"] == "inbound":
                threading.Thread(target=self.settle, args=(event,), daemon=True).start()

    def settle(self, event):
        try:
            self.commit([{"op": "del", "kind": "owed", "key": b64(event["wa_id"].encode())}])
        except Vault:
            pass

    def commit(self, changes):
        return self.bridge.ask(self, {"call": "commit", "changes": changes})

    def close(self, reason, **more):
        with self.calls:
            self.state = "closing"
        if reason == "requested":
            try:
                self.bridge.ask(self, {"call": "close"})
            except Vault:
                pass
        self.event({"event": "closed", "reason": reason, **more}, is_last=True)
        if self.bridge.sessions.get(self.id) is self:
            del self.bridge.sessions[self.id]

    def run(self):
        if MODE == "garbage":
            self.bridge.sock.sendall(b"this is no frame\n")
        if MODE == "endless-line":
            while True:
                self.bridge.sock.sendall(b"x" * 65536)
        if MODE == "silent-session":
            return
        if MODE == "flood":
            for _ in range(10 * WINDOW):
                self.event({"event": "receipt", "wa_id": "3EB0", "kind": "read"})
        if MODE == "questions":
            for number in range(100_000):
                call = {"call": "open"}
                self.bridge.say({"t": "vault", "id": number + 1, "session": self.id, "epoch": self.epoch, "call": call})
        try:
            self.bridge.ask(self, {"call": "open"})
            device = self.bridge.ask(self, {"call": "get", "kind": "device", "keys": [""]})["values"][0]
            if device is None:
                self.pair()
            else:
                self.log_in()
        except Vault as error:
            if str(error) != "closed":
                self.close("fenced" if str(error) == "fenced" else "vault_lost")

    def pair(self):
        self.state = "pairing"
        way = "" if self.proxy is None else "," + self.proxy
        self.event({"event": "pairing_code", "code": "2@scripted," + self.id + way, "expires_in_ms": 60000})
        if MODE == "passkey":
            self.event({"event": "passkey", "stage": "request", "data": b64(b"{}")})
            self.event({"event": "passkey", "stage": "confirmation", "data": b64(b"ABCD-EFGH")})
            self.event({"event": "passkey", "stage": "confirmation", "data": b64(b"x" * 4096)})
            return self.event({"event": "passkey", "stage": "error"})
        self.commit([{"op": "put", "kind": "device", "key": "", "value": b64(b"device")}])
        self.event({"event": "paired"})
        self.close("restart_required", code=515)

    def log_in(self):
        self.state = "connected"
        self.event({"event": "connected"})
        page = self.bridge.ask(self, {"call": "list", "kind": "owed", "prefix": "", "limit": 1000, "values": True})
        for record in page["records"]:
            self.event(json.loads(base64.b64decode(record["value"])))
        self.event({"event": "offline_synced"}, number=self.seq + 2 if MODE == "gap" else None)

    def command(self, frame, name, do):
        bridge = self.bridge
        if name == "close":
            if MODE == "never-closes":
                return
            if MODE == "closes-slowly":
                time.sleep(2)
            self.close("requested")
            bridge.reply(frame, ok={"is": "done"})
        elif name == "log_out":
            bridge.reply(frame, ok={"is": "done"})
            self.close("requested")
        elif name == "ping":
            if self.state != "connected":
                return bridge.fail(frame, "no_link")
            bridge.reply(frame, ok={"is": "pong", "millis": 1})
        elif name == "pair_code":
            if self.state != "pairing":
                return bridge.fail(frame, "not_pairing")
            bridge.reply(frame, ok={"is": "pair_code", "code": "ABCDEFGH", "expires_in_ms": 180000})
        elif name == "check_number":
            numbers = [{"phone": phone, "exists": not phone.endswith("0404")} for phone in do["phones"]]
            bridge.reply(frame, ok={"is": "numbers", "numbers": numbers})
        elif name == "send":
            if bridge.draining:
                return bridge.fail(frame, "draining")
            if self.state != "connected":
                return bridge.fail(frame, "no_link")
            if do["content"]["type"] == "media":
                return self.send_file(frame, do)
            if do["content"]["type"] != "text":
                return bridge.fail(frame, "unsupported")
            if do["to"].endswith("0666"):
                os.kill(os.getpid(), signal.SIGKILL)
            bridge.reply(frame, ok={"is": "sent"})
            self.answer(do)
        elif name == "fetch_media":
            self.fetch(frame, do)
        else:
            bridge.fail(frame, "unsupported")

    def send_file(self, frame, do):
        """What is sent comes back from whom it was sent to."""
        file = do["content"]["file"]
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW
            with os.fdopen(os.open(os.path.join(self.bridge.media, file["name"]), flags), "rb") as plain:
                body = plain.read()
        except OSError:
            return self.bridge.fail(frame, "not_found")
        if len(body) != file["size"]:
            return self.bridge.fail(frame, "invalid")
        handle = b64(do["wa_id"].encode())
        self.bridge.bodies[handle] = body
        self.bridge.reply(frame, ok={"is": "sent"})
        self.event({"event": "ack", "wa_id": do["wa_id"]})
        more = {key: file[key] for key in ("file_name", "seconds") if key in file}
        file = {"handle": handle, "mime": file["mime"], "size": file["size"], **more}
        event = {
            "event": "inbound",
            "wa_id": "IN" + do["wa_id"],
            "chat": do["to"],
            "from": do["to"],
            "at_ms": 1795000000000,
            "content": {**do["content"], "file": file},
        }
        self.event(event)

    def fetch(self, frame, do):
        body = self.bridge.bodies.get(do["handle"])
        if body is None:
            return self.bridge.fail(frame, "not_found")
        if len(body) > do["max_bytes"] and not MODE.startswith("media-"):
            return self.bridge.fail(frame, "too_large")
        path = os.path.join(self.bridge.media, do["name"])
        secret = os.path.join(os.path.dirname(self.bridge.media), "secret")
        if MODE == "media-symlink":
            os.symlink(secret, path)
            body = b"secret"
        elif MODE == "media-hardlink":
            os.link(secret, path)
            body = b"secret"
        elif MODE == "media-pipe":
            os.mkfifo(path)
        elif MODE != "media-nothing":
            if MODE == "media-elsewhere":
                path += "x"
            left = {"media-larger": body + b"x", "media-smaller": body[:-1]}.get(MODE, body)
            if MODE in ("media-dies", "media-silent"):
                left = body[: len(body) // 2]
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as plain:
                plain.write(left)
            if MODE == "media-dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if MODE == "media-silent":
                return
        self.bridge.reply(frame, ok={"is": "media", "size": len(body)})

    def answer(self, do):
        if do["to"].endswith("0408"):
            return
        if do["to"].endswith("0463"):
            return self.event({"event": "ack", "wa_id": do["wa_id"], "error": 463, "until_ms": 1795000000000})
        self.event({"event": "ack", "wa_id": do["wa_id"]})
        self.event({"event": "receipt", "wa_id": do["wa_id"], "kind": "delivered"})
        body = do["content"]["body"]
        if body.startswith("echo "):
            wa_id = "IN" + do["wa_id"]
            event = {
                "event": "inbound",
                "wa_id": wa_id,
                "chat": do["to"],
                "from": do["to"],
                "at_ms": 1795000000000,
                "content": {"type": "text", "body": body[5:]},
            }
            # Pending is durable before anybody hears of it.
            self.commit([{"op": "put", "kind": "owed", "key": b64(wa_id.encode()), "value": b64(json.dumps(event).encode())}])
            self.event(event)


def rss_kib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4


def end(code):
    if MODE == "clings":
        while True:
            time.sleep(3600)
    os._exit(code)


def lifeline():
    """The end of standard input is the supervisor's end."""
    while sys.stdin.buffer.read(4096):
        pass
    end(0)


def main():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "dies-at-once":
        end(3)
    try:
        boot = json.loads(sys.stdin.buffer.readline())
    except ValueError:
        end(64)
    if os.getppid() != boot["supervisor"]:
        end(0)
    if MODE == "forks":
        if os.fork() == 0:
            with open(boot["socket"] + ".child", "w") as note:
                note.write(str(os.getpid()))
            time.sleep(3600)
    threading.Thread(target=lifeline, daemon=True).start()
    if MODE == "late-hello":
        time.sleep(15)
    try:
        bridge = Bridge(boot)
    except (OSError, ValueError):
        end(64)
    bridge.hello()
    bridge.read()


main()
