"""A server that tests connect to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Served:
    """An asyncio server in a thread. `stop` waits for the clients to be gone."""

    def __init__(self, make: Callable[[], Handler]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

        async def start() -> asyncio.Server:
            return await asyncio.start_server(make(), "127.0.0.1", 0)

        self._server = asyncio.run_coroutine_threadsafe(start(), self._loop).result(20)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            if others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others, timeout=20)
            # The transports close in the loop's next rounds.
            for _ in range(3):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
