"""The Python original at work, in a program of our own that does what it does.

    python_original.py WORK

WORK is JSON, as the workers in Deno get it: the name of a `job`, a directory
`dir`, and what the job wants to know. Prints what it measured as JSON.

With aiofiles where it is installed; otherwise each file operation goes to a
thread by itself, which is what aiofiles does.
"""

import asyncio
import hashlib
import http.client
import json
import os
import resource
import sys
import time
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urlsplit

try:
    import aiofiles
except ImportError:
    aiofiles = None

IN_FLIGHT = 16
ENOUGH = 80  # operations that are measured however slow they are


class ThreadedFile:
    """A file whose every operation runs in a thread."""

    def __init__(self, path, mode, **options):
        self.args = (path, mode)
        self.options = options

    async def __aenter__(self):
        self.file = await asyncio.to_thread(open, *self.args, **self.options)
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self.file.close)

    async def read(self):
        return await asyncio.to_thread(self.file.read)

    async def write(self, data):
        return await asyncio.to_thread(self.file.write, data)


open_file = aiofiles.open if aiofiles else ThreadedFile


class Entry:
    """What the index knows of an entry, and its body while that is in memory."""

    __slots__ = ("url", "mimetype", "filename", "size", "key", "last_access", "data")

    def __init__(self, url, mimetype, filename, size, key, last_access, data):
        self.url = url
        self.mimetype = mimetype
        self.filename = filename
        self.size = size
        self.key = key
        self.last_access = last_access
        self.data = data


class Original:
    """The original's algorithm: one lock, an ordered index, two files an entry."""

    def __init__(self, folder, max_size_mb=4096, max_memory_items=64):
        self.folder = Path(folder)
        self.max_bytes = max_size_mb * 1024 * 1024
        self.max_memory = max_memory_items
        self.index = OrderedDict()
        self.total = 0
        self.lock = asyncio.Lock()
        self.hits = 0
        self.misses = 0
        self.folder.mkdir(parents=True, exist_ok=True)

    async def ensure_loaded(self):
        await asyncio.to_thread(self.scan)

    async def get(self, url):
        async with self.lock:
            entry = self.index.get(url)
            if entry is None:
                return None
            self.index.move_to_end(url)
            entry.last_access = time.time()
            if entry.data is None:
                entry.data = await self.read(entry.key)
                if entry.data is None:
                    self.evict(url)
                    return None
            self.hits += 1
            return entry.data, entry.mimetype, entry.filename

    async def put(self, url, data, mimetype, filename):
        async with self.lock:
            if url in self.index:
                self.index.move_to_end(url)
                self.index[url].last_access = time.time()
                return
            key = hashlib.sha256(url.encode()).hexdigest()
            now = time.time()
            entry = Entry(url, mimetype, filename, len(data), key, now, data)
            await self.write(entry)
            self.index[url] = entry
            self.total += entry.size
            while self.total > self.max_bytes and self.index:
                self.evict(next(iter(self.index)))
            self.shed()

    async def get_or_download(self, url, downloader):
        cached = await self.get(url)
        if cached is not None:
            return cached
        self.misses += 1
        data, mimetype, filename = await downloader()
        await self.put(url, data, mimetype, filename)
        return data, mimetype, filename

    def path(self, key, suffix):
        return self.folder / f"{key}{suffix}"

    async def write(self, entry):
        meta = {
            "url": entry.url,
            "mimetype": entry.mimetype,
            "filename": entry.filename,
            "size": entry.size,
            "ts": entry.last_access,
        }
        async with open_file(self.path(entry.key, ".dat"), "wb") as dat:
            await dat.write(entry.data)
        sidecar = self.path(entry.key, ".json")
        async with open_file(sidecar, "w", encoding="utf-8") as file:
            await file.write(json.dumps(meta, indent=2))

    async def read(self, key):
        path = self.path(key, ".dat")
        if not path.exists():
            return None
        try:
            async with open_file(path, "rb") as file:
                return await file.read()
        except OSError:
            return None

    def evict(self, url):
        entry = self.index.pop(url, None)
        if entry is None:
            return
        self.total -= entry.size
        for suffix in (".dat", ".json"):
            self.path(entry.key, suffix).unlink(missing_ok=True)

    def shed(self):
        held = [url for url, entry in self.index.items() if entry.data is not None]
        while len(held) > self.max_memory:
            self.index[held.pop(0)].data = None

    def scan(self):
        for meta_path in sorted(self.folder.glob("*.json")):
            try:
                meta = json.loads(meta_path.read_text(encoding="utf-8"))
            except (OSError, json.JSONDecodeError):
                continue
            key = meta_path.stem
            dat = self.path(key, ".dat")
            if not dat.exists():
                meta_path.unlink(missing_ok=True)
                continue
            size = meta.get("size", 0) or dat.stat().st_size
            mimetype = meta.get("mimetype", "application/octet-stream")
            filename = meta.get("filename", "attachment")
            url, ts = meta["url"], meta.get("ts", 0.0)
            self.index[url] = Entry(url, mimetype, filename, size, key, ts, None)
            self.total += size
        ordered = sorted(self.index.items(), key=lambda item: item[1].last_access)
        self.index.clear()
        self.index.update(ordered)


class Stopwatch:
    """Collects measures by name. Gives up counting after so many seconds."""

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
        # It forgets to shed after a hit; the next one shall come from disk too.
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
    for number in range(work["warmUp"]):
        await hit(f"w{number}")
    for suffix, lanes in both:
        await watch.time(
            "hit" + suffix, stored[lanes], lanes, lambda i: hit(f"{lanes}-{i}")
        )
    if work["streams"]:
        # It knows no streams: bytes are what a caller gets in any case.
        for suffix in ("", f"-{IN_FLIGHT}"):
            for way in ("byob", "reader"):
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
    # What it returns is the bytes already.
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
