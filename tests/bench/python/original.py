"""The Python original's algorithm, written anew.

With aiofiles where it is installed; otherwise each file operation goes to a
thread by itself, which is what aiofiles does.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from pathlib import Path

try:
    import aiofiles
except ImportError:
    aiofiles = None


class ThreadedFile:
    """A file; each operation runs in a thread."""

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
    """The facts of an entry in the index, and its body while in memory."""

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
