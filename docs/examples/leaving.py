import trio

from trio_stream import open_stream
from trio_stream.testing import Send, Stall, serve


async def first_word(url):
    async with open_stream("GET", url) as rx:
        async for event in rx:
            print(event.data)
            break
    print(rx.outcome.ending)


async def as_much_as_comes(url, seconds):
    with trio.move_on_after(seconds):
        async with open_stream("GET", url) as rx:
            async for _ in rx:
                pass
    print([event.data for event in rx.outcome.value], rx.outcome.ending)


async def fail(url):
    places = {"three": "Voss"}
    try:
        async with open_stream("GET", url) as rx:
            async for event in rx:
                print(places[event.data])
    except KeyError as error:
        print(repr(error), rx.outcome.ending)


async def hang_up_and_go_on(url):
    async with open_stream("GET", url) as rx:
        event = await rx.receive()
        await rx.aclose()
        print(event.data, rx.outcome.ending, len(rx.outcome.value), "received")


async def main():
    # This server sends two events at once, and then nothing, for ever.
    async with serve([Send(b"data: one\n\ndata: two\n\n"), Stall()]) as server:
        await first_word(server.url)
        await as_much_as_comes(server.url, seconds=0.2)
        await fail(server.url)
        await hang_up_and_go_on(server.url)

        await server.wait_disconnected()
        print(server.connections, "connections,", server.open_connections, "left open")


trio.run(main)
