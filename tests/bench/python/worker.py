"""Runs the Python original.

    worker.py WORK

WORK is JSON, as the workers in Deno get it: the name of a `job`, a directory
`dir`, and what the job wants to know. Prints what it measured as JSON.
"""

import asyncio
import http.client
import json
import os
import resource
import sys
import time
from urllib.parse import urlsplit

from original import Original

IN_FLIGHT = 16
ENOUGH = 80  # operations that are measured however slow they are


class Stopwatch:
    """Collects measures by name. Ends a measure after this many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.measures = {}
        self.cpu_ms = {}

    async def time(self, measure, count, in_flight, work):
        done = 0

        async def lane():
            nonlocal done
            while done < count and (done < ENOUGH or time.perf_counter() < end):
                done += 1
                await work(done - 1)

        cpu = time.process_time()
        start = time.perf_counter()
        end = start + self.seconds
        await asyncio.gather(*(lane() for _ in range(in_flight)))
        self.measures[measure] = (time.perf_counter() - start) / done
        self.cpu_ms[measure] = (time.process_time() - cpu) * 1000 / done
        return done


async def store(work, watch):
    cache = Original(work["dir"])
    await cache.ensure_loaded()
    origin, size, count = work["origin"], work["size"], work["count"]
    data = os.urandom(size)

    def url(number):
        return f"{origin}/{size}/{number}"

    async def put(number):
        await cache.put(url(number), data, "video/mp4", "clip.mp4")

    async def hit(number):
        found = await cache.get(url(number))
        assert len(found[0]) == size
        # The original does not evict from memory after a hit; the next must come from disk too.
        cache.index[url(number)].data = None

    for number in range(work["warmUp"]):
        await put(f"w{number}")
    both = (("", 1), (f"-{IN_FLIGHT}", IN_FLIGHT))
    stored = {}
    for suffix, lanes in both:
        stored[lanes] = await watch.time(
            "put" + suffix, count, lanes, lambda i: put(f"{lanes}-{i}")
        )
    for entry in cache.index.values():
        entry.data = None
    warm = work["warmUp"]
    await watch.time("warm-up", work["warmHits"], 1, lambda i: hit(f"w{i % warm}"))
    for suffix, lanes in both:
        await watch.time(
            "hit" + suffix, stored[lanes], lanes, lambda i: hit(f"{lanes}-{i}")
        )
    if work["streams"]:
        # The original has no streams: callers always get bytes.
        for suffix in ("", f"-{IN_FLIGHT}"):
            for way in ("byob", "reader", "bytes"):
                watch.measures[way + suffix] = watch.measures["hit" + suffix]
                watch.cpu_ms[way + suffix] = watch.cpu_ms["hit" + suffix]


async def memory(work, watch):
    cache = Original(work["dir"])
    await cache.ensure_loaded()
    entries, data = work["entries"], os.urandom(work["size"])
    urls = [f"http://media.test/{number}" for number in range(entries)]
    for url in urls:
        await cache.put(url, data, "video/mp4", "clip.mp4")

    async def get(number):
        await cache.get(urls[number % entries])

    await watch.time("warm-up", work["count"] // 10, 1, get)
    await watch.time("get", work["count"], 1, get)
    # The result is the bytes already.
    watch.measures["bytes"] = watch.measures["get"]


async def miss(work, watch):
    cache = Original(work["dir"])
    await cache.ensure_loaded()
    origin, size = work["origin"], work["size"]
    host = urlsplit(origin).netloc

    def fetch(path):
        connection = http.client.HTTPConnection(host)
        connection.request("GET", path)
        return connection.getresponse().read()

    async def download(path, wanted):
        async def downloader():
            return await asyncio.to_thread(fetch, path), "video/mp4", "clip.mp4"

        found = await cache.get_or_download(origin + path, downloader)
        assert len(found[0]) == wanted

    await download(f"/{work['warmUp']}/warm-up", work["warmUp"])
    await watch.time("miss", 1, 1, lambda i: download(f"/{size}/{i}", size))


async def open_directory(work, watch):
    async def usable(_):
        cache = Original(work["dir"], 100_000)
        await cache.ensure_loaded()
        assert len(cache.index) == work["entries"]
        assert await cache.get(work["url"]) is not None

    await watch.time("open", 1, 1, usable)


JOBS = {"store": store, "memory": memory, "miss": miss, "open": open_directory}


async def main():
    work = json.loads(sys.argv[1])
    watch = Stopwatch(work.get("seconds", float("inf")))
    await JOBS[work["job"]](work, watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sample = {"measures": watch.measures, "cpuMs": watch.cpu_ms, "peakRssBytes": peak}
    print(json.dumps(sample))


asyncio.run(main())
