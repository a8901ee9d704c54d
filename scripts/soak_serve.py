#!/usr/bin/env python3
"""Sends good, broken and huge requests to `vision serve` for minutes, and checks every answer and the memory.

    python3 scripts/soak_serve.py --vision target/release/vision --model MODEL [--minutes 60] [--clients 16] [--restarts 3]

Clients send, at random: images (as they are, in forms, in JSON), texts, cut and altered images, decompression bombs, huge bodies,
broken HTTP, bodies that never end, and requests that are given up. Only good requests have answers with a class; none has status
500, and nothing else than 503, 429 or a closed connection refuses a good one. Memory is sampled every second: that of the last
quarter may not be above that of the second one by more than 5 % (and 16 MiB). --restarts times, the service is ended by SIGTERM or
SIGKILL under load and started again; SIGTERM must end it with 0 and answer what has come in. Ends with 1 if something is wrong.
Needs Pillow and numpy.
"""
import argparse
import base64
import collections
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_serve import free_port, jpegs, memory  # noqa: E402

BOMBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../crates/vision-data/tests/fixtures/bombs")


class Soak:
    def __init__(self, args):
        self.args = args
        self.port = free_port()
        self.images = jpegs()[:16]
        self.bombs = [open(os.path.join(BOMBS, name), "rb").read() for name in sorted(os.listdir(BOMBS))]
        self.counts = collections.Counter()
        self.wrong = []
        self.stop = threading.Event()
        self.restarting = threading.Event()
        self.lock = threading.Lock()
        self.process = None

    def start(self):
        command = [self.args.vision, "serve", self.args.model, "--listen", f"127.0.0.1:{self.port}", "--read-timeout", "3"]
        command += ["--client-share", "1"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        begin = time.monotonic()
        for line in self.process.stderr:
            if "is served on" in line:
                threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()
                return time.monotonic() - begin
        sys.exit("the service did not start")

    def listen(self, process):
        for line in process.stderr:
            if "panicked" in line or "error" in line:
                self.say_wrong("the service says: " + line.strip())

    def say_wrong(self, what):
        with self.lock:
            self.wrong.append(what)
        print("WRONG", what, flush=True)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def answer(self, stream):
        data = b""
        while b"\r\n\r\n" not in data:
            more = stream.recv(65536)
            if not more:
                return None, b""
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            more = stream.recv(65536)
            if not more:
                return None, b""
            body += more
        return int(head.split(b" ", 2)[1]), body

    def send(self, data, patience=60):
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as stream:
            try:
                stream.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return self.answer(stream)

    @staticmethod
    def post(body, kind="image/jpeg", query=""):
        head = f"POST /predict{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        return (head + "Connection: close\r\n\r\n").encode() + body

    def good(self, rng):
        image = rng.choice(self.images)
        query = rng.choice(["", "?top=3", "?heatmap=true"])
        way = rng.randrange(3)
        if way == 0:
            return self.post(image, query=query)
        if way == 1:
            part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="../a.jpg"\r\n\r\n'
            return self.post(part + image + b"\r\n" + part + image + b"\r\n--b--\r\n", "multipart/form-data; boundary=b", query)
        return self.post(json.dumps({"image": base64.b64encode(image).decode()}).encode(), "application/json", query)

    def bad(self, rng):
        image = bytearray(rng.choice(self.images))
        kind = rng.randrange(8)
        if kind == 0:
            return "text", self.post(b"no image")
        if kind == 1:
            return "cut", self.post(bytes(image[: rng.randrange(1, 400)]))
        if kind == 2:
            return "bomb", self.post(rng.choice(self.bombs))
        if kind == 3:
            return "huge", self.post(bytes(20 << 20))
        if kind == 4:
            return "large", self.post(os.urandom(15 << 20))
        if kind == 5:
            return "json", self.post(b'{"images": [' + b'"",' * rng.randrange(1000000), "application/json")
        if kind == 6:
            return "http", bytes(rng.randrange(256) for _ in range(rng.randrange(1, 2000))) + b"\r\n\r\n"
        return "form", self.post(b"--b\r\n" * rng.randrange(100000), "multipart/form-data; boundary=b")

    def client(self, number):
        rng = random.Random(number)
        while not self.stop.is_set():
            try:
                self.one(rng)
            except (ConnectionError, socket.timeout, OSError) as error:
                # While the service is away, and for requests that it was given before SIGKILL.
                if not self.restarting.is_set():
                    time.sleep(0.5)
                    if not self.restarting.is_set():
                        self.say_wrong(f"connection: {error!r}")
                time.sleep(0.05)

    def one(self, rng):
        chance = rng.random()
        if chance < 0.6:
            away = self.restarting.is_set()
            status, body = self.send(self.good(rng))
            away = away or self.restarting.is_set()
            self.count(f"good {status}")
            if status == 200:
                answer = json.loads(body)
                row = answer.get("predictions", [answer])[0]
                if "class" not in row:
                    self.say_wrong(f"no class: {body[:300]}")
            elif status not in (503, 429) and not away:
                self.say_wrong(f"a good request: {status} {body[:300]}")
        elif chance < 0.9:
            name, data = self.bad(rng)
            status, body = self.send(data)
            self.count(f"{name} {status}")
            if status in (500, 502) or (status == 200 and name not in ("bomb", "http", "cut")):
                self.say_wrong(f"{name}: {status} {body[:300]}")
        elif chance < 0.95:
            # Given up: all is sent, and nobody waits for the answer.
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as stream:
                stream.sendall(self.good(rng))
            self.count("given up")
        else:
            # The body never ends.
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as stream:
                stream.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
                status, _ = self.answer(stream)
            self.count(f"slow {status}")

    def metrics(self):
        _, body = self.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return {line.split(" ")[0]: float(line.split(" ")[1]) for line in body.decode().splitlines() if not line.startswith("#")}

    def restart(self, kill):
        self.restarting.set()
        before = self.process
        before.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        code = before.wait(30)
        if code != (-signal.SIGKILL if kill else 0):
            self.say_wrong(f"ended with {code}")
        took = self.start()
        print(f"ended by {'SIGKILL' if kill else 'SIGTERM'} with {code}, serves again after {took:.2f} s", flush=True)
        time.sleep(1)
        self.restarting.clear()

    def run(self):
        print(f"serves after {self.start():.2f} s", flush=True)
        threads = [threading.Thread(target=self.client, args=(n,), daemon=True) for n in range(self.args.clients)]
        for thread in threads:
            thread.start()
        begin, seconds = time.monotonic(), self.args.minutes * 60
        # Restarts come first: then the memory of one process is sampled for the rest of the time.
        for number in range(self.args.restarts):
            time.sleep(min(20, seconds / 10))
            self.restart(kill=number % 2 == 1)
        samples, told = [], 0
        while time.monotonic() - begin < seconds:
            time.sleep(1)
            samples.append(memory(self.process))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{told - begin:6.0f} s  {samples[-1] >> 20} MiB  {sum(self.counts.values())} requests", flush=True)
            if self.process.poll() is not None:
                self.say_wrong(f"the service ended with {self.process.returncode}")
                break
        self.stop.set()
        for thread in threads:
            thread.join(70)
        metrics = self.metrics()
        for name in ("vision_panics_total", "vision_queue", "vision_held_bytes"):
            if metrics[name] != 0:
                self.say_wrong(f"{name} is {metrics[name]}")
        quarter = len(samples) // 4
        second, last = (sorted(part)[len(part) // 2] for part in (samples[quarter : 2 * quarter], samples[3 * quarter :]))
        print(f"memory: {second >> 20} MiB in the second quarter, {last >> 20} MiB in the last one, at most {max(samples) >> 20} MiB")
        if last > second * 1.05 + (16 << 20):
            self.say_wrong("the memory grows")
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(30) != 0:
            self.say_wrong(f"ended with {self.process.returncode}")
        for what, count in sorted(self.counts.items()):
            print(f"{count:8} {what}")
        print("all is well" if not self.wrong else f"{len(self.wrong)} faults")
        return 1 if self.wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vision", default="target/release/vision")
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--restarts", type=int, default=3)
    sys.exit(Soak(parser.parse_args()).run())


if __name__ == "__main__":
    main()
