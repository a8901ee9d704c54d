#!/usr/bin/env python3
"""Requests a second and percentiles of `vision serve`, beside FastAPI with ONNX Runtime, on the same cores in the same run.

    cargo build --release -p vision-cli
    python3 scripts/bench_serve.py --vision target/release/vision --model MODEL [--clients 1,2,4,8,16,32,64] [--seconds 10]
        [--rounds 1] [--only vision,fastapi-1x2,..] [--json FILE]

MODEL is a model file or the folder of a training, with images of 224 pixels. `vision export MODEL --onnx` writes the model that
ONNX Runtime runs: it has the preprocessing in it, so that the Python service decodes with Pillow and does nothing else.

The services, each started alone, warmed up, measured and ended, in turn, so often as --rounds says:

    vision          vision serve MODEL, with its defaults
    vision-batch    the same with --max-batch 8, which the defaults do not do on the CPU
    fastapi         uvicorn (uvloop, httptools) with one worker, ONNX Runtime with its defaults, as a tutorial does it: each
                    request in one of Starlette's 40 threads
    fastapi-1x2     the same with as many requests at a time as there are cores
    fastapi-2x1     one worker for each core, ONNX Runtime with one thread, one request at a time in each worker

One load generator, a process of its own, sends the same JPEGs to all: HTTP/1.1 with kept connections, the next request of a
client when the last one is answered. Every answer must have status 200 and the class that the image had before. How many of the
images have the class that the first service gives is printed: decoders of JPEG differ by some levels of 255. Needs Pillow,
numpy, onnxruntime, anyio, fastapi, uvicorn, uvloop, httptools.
"""
import argparse
import asyncio
import io
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

IMAGES = 64


def service(onnx, threads, at_once):
    """The FastAPI service, in a process of uvicorn's."""
    import anyio.to_thread
    import numpy as np
    import onnxruntime
    from fastapi import FastAPI, Request
    from PIL import Image, ImageOps

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    app = FastAPI()
    limits = []

    def predict(body):
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("RGB")
        (outputs,) = session.run(None, {"image": np.asarray(image)})
        best = int(outputs[0].argmax())
        return {"class": classes[best], "probability": float(outputs[0][best])}

    @app.post("/predict")
    async def answer(request: Request):
        body = await request.body()
        if not limits:  # it belongs to the loop that runs
            limits.append(anyio.CapacityLimiter(at_once))
        return await anyio.to_thread.run_sync(predict, body, limiter=limits[0])

    @app.get("/ready")
    def ready():
        return {"status": "ready"}

    return app


def app():
    """What uvicorn is told to run."""
    return service(os.environ["BENCH_ONNX"], int(os.environ["BENCH_THREADS"]), int(os.environ["BENCH_AT_ONCE"]))


def jpegs():
    """Photos of 224 pixels: noise over a drawn scene, so that they have the size of real ones."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    files = []
    for number in range(IMAGES):
        y, x = np.mgrid[0:224, 0:224] / 224
        waves = [np.sin(7 * (x * a + y * b) + c) for a, b, c in random.uniform(-2, 2, (3, 3))]
        pixels = 127 + 80 * np.stack(waves, axis=-1) + random.normal(0, 12, (224, 224, 3))
        to = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(to, "JPEG", quality=90)
        files.append(to.getvalue())
    return files


async def exchange(reader, writer, request):
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lower = head.lower()
    at = lower.index(b"content-length:") + 15
    body = await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
    return status, body


async def client(port, number, requests, end, times, answers, faults):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = number
    while time.perf_counter() < end:
        at = turn % len(requests)
        turn += 1
        begin = time.perf_counter()
        status, body = await exchange(reader, writer, requests[at])
        took = time.perf_counter() - begin
        found = json.loads(body).get("class") if status == 200 else status
        if answers.setdefault(at, found) != found or status != 200:
            faults.append((at, status, body[:200].decode("utf-8", "replace")))
            if status == 503:
                await asyncio.sleep(0.1)
            continue
        times.append(took)
    writer.close()


async def load(port, clients, seconds, requests, answers):
    times, faults = [], []
    begin = time.perf_counter()
    end = begin + seconds
    await asyncio.gather(*(client(port, n, requests, end, times, answers, faults) for n in range(clients)))
    took = time.perf_counter() - begin
    return times, faults, took


def measure(pipe, port, clients, seconds, answers):
    """The load generator, in a process of its own."""
    requests = [
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b" % (len(f), f)
        for f in jpegs()
    ]
    cpu = time.process_time()
    times, faults, took = asyncio.run(load(port, clients, seconds, requests, answers))
    pipe.send((times, faults, took, time.process_time() - cpu, answers))


def loaded(port, clients, seconds, answers):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=measure, args=(there, port, clients, seconds, answers))
    process.start()
    result = here.recv()
    process.join()
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def memory(process):
    """Resident bytes of a process and its children."""
    total, ids = 0, [process.pid]
    while ids:
        pid = ids.pop()
        try:
            with open(f"/proc/{pid}/status") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                ids += map(int, file.read().split())
        except (OSError, StopIteration):
            pass
    return total << 10


def start(name, args, onnx, port):
    cores = os.cpu_count()
    if name.startswith("vision"):
        command = [args.vision, "serve", args.model, "--listen", f"127.0.0.1:{port}"]
        command += ["--max-batch", "8"] if name == "vision-batch" else []
        environment = dict(os.environ)
    else:
        known = {"fastapi": (1, 0, 40), "fastapi-1x2": (1, cores, cores), "fastapi-2x1": (cores, 1, 1)}
        workers, threads, at_once = known[name]
        command = [
            sys.executable, "-m", "uvicorn", "--factory", "bench_serve:app", "--port", str(port), "--workers", str(workers),
            "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--app-dir",
            os.path.dirname(os.path.abspath(__file__)),
        ]
        environment = dict(os.environ, BENCH_ONNX=onnx, BENCH_THREADS=str(threads), BENCH_AT_ONCE=str(at_once))
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    while True:
        if process.poll() is not None:
            sys.exit(f"{name} ended: {process.stderr.read().decode()}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1).read()
            return process, time.perf_counter() - begin
        except OSError:
            time.sleep(0.01)


def percentile(times, share):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vision", default="target/release/vision")
    parser.add_argument("--model", required=True)
    parser.add_argument("--clients", default="1,2,4,8,16,32,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="vision,vision-batch,fastapi,fastapi-1x2,fastapi-2x1")
    parser.add_argument("--json")
    args = parser.parse_args()
    counts = [int(n) for n in args.clients.split(",")]
    folder = tempfile.mkdtemp()
    onnx = os.path.join(folder, "model.onnx")
    subprocess.run([args.vision, "export", args.model, "--onnx", onnx], check=True, stdout=subprocess.DEVNULL)
    sizes = [len(f) for f in jpegs()]
    print(f"{IMAGES} JPEGs of 224 pixels, {min(sizes)} to {max(sizes)} bytes; {os.cpu_count()} cores; {args.seconds} s each")
    print(f"{'service':<14}{'clients':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'MiB':>7}{'generator':>11}{'faults':>8}")
    rows, expected = [], {}
    for round_ in range(args.rounds):
        for name in args.only.split(","):
            port = free_port()
            process, took = start(name, args, onnx, port)
            try:
                answers = loaded(port, 4, 3, {})[-1]
                for clients in counts:
                    times, faults, seconds, cpu, answers = loaded(port, clients, args.seconds, answers)
                    row = {
                        "round": round_, "service": name, "clients": clients, "rate": len(times) / seconds,
                        "p50": percentile(times, 0.5), "p99": percentile(times, 0.99), "memory": memory(process),
                        "generator": cpu / seconds, "faults": len(faults), "start": took,
                    }
                    rows.append(row)
                    print(
                        f"{name:<14}{clients:>8}{row['rate']:>12.1f}{row['p50'] * 1e3:>9.1f}{row['p99'] * 1e3:>9.1f}"
                        f"{row['memory'] >> 20:>7}{cpu / seconds:>11.1%}{len(faults):>8}",
                        flush=True,
                    )
                    if faults:
                        print("  first fault:", faults[0])
                expected = expected or answers
                same = sum(answers.get(at) == found for at, found in expected.items())
                print(f"  the same class as {rows[0]['service']} for {same} of {len(expected)} images")
            finally:
                # Its own session: uvicorn's workers are in it.
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(20)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
