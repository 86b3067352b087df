import trio

from trio_stream import open_stream
from trio_stream.testing import Send, serve

BURST = Send(b"data: 0123456789\n\n" * 1000)


async def main():
    async with serve([BURST] * 200) as server:  # 3.6 MB
        async with open_stream("GET", server.url) as rx:
            await rx.receive()
            await trio.sleep(0.2)  # time enough to send it all

            statistics = rx.statistics()
            print(statistics.items_delivered, "delivered")
            print("few buffered:", statistics.items_buffered < 20_000)
            print("little read:", statistics.bytes_received < 1_000_000)

            async for _ in rx:
                pass
    print(rx.outcome.ending, rx.outcome.items, "received,", len(rx.outcome.value), "kept")


trio.run(main)
