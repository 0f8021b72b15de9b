"""The attacks: one row each. `gate` marks those that the short form runs."""

import attack_requests as r
from adversary import Attack

UNREAD = {"read": 0, "receive_buffer": 4096}
DRIP_S = 0.5

MEMORY = (
    Attack("unread largest", "the largest result that can be asked for, never read", 40, r.largest_result, **UNREAD),
    Attack("unread", "the largest result that is allowed, never read", 40, r.large_result, **UNREAD, gate=True),
    Attack("unread all results", "every result of float64 samples, never read", 20, r.every_result, **UNREAD),
    Attack("unread gzip", "a large result as gzip, never read", 20, r.gzip_result, **UNREAD, gate=True),
    Attack("unread lines", "streams that nobody reads", 200, r.lines, **UNREAD, gate=True),
    Attack("unread pipeline", "400 requests for the contract in a row on a connection, never read", 40, r.contract, **UNREAD,
           pipelined=400, gate=True),
    Attack("partial", "the largest body but for its last byte", 60, r.all_but_last_byte, gate=True),
    Attack("announce", "the largest body announced, one byte sent", 2000, r.announced, gate=True),
    Attack("expect", "the largest body announced with Expect: 100-continue, never sent", 500, r.expects_continue, gate=True),
    Attack("many rows", "a body of millions of rows of one class", 8, r.many_rows, again=True, gate=True),
    Attack("brackets", "a body of nothing but [", 8, r.brackets, again=True),
    Attack("many members", "a body of a million unknown members", 8, r.many_members, again=True, gate=True),
    Attack("escapes", "a member name of 16 MB of escapes", 8, r.escapes, again=True),
    Attack("terabytes npy", ".npy heads that announce a terabyte", 64, r.terabytes_npy, again=True, gate=True),
    Attack("terabytes npy chunked", "the same in chunks, never ended", 200, r.terabytes_npy_chunked),
    Attack("binary sizes", "tensors of the inference protocol with binary_data_size 2^63 - 1", 64, r.binary_sizes, again=True,
           gate=True),
)

ENCODINGS = (
    Attack("gzip bombs", "16 KB that inflate to 16 MB of blanks", 8, r.gzip_bomb, again=True, gate=True),
    Attack("gzip bombs held", "the same but for the last 8 bytes", 60, r.gzip_bomb_but_last_bytes, gate=True),
    Attack("gzip floats", "gzip that inflates to millions of floats", 8, r.gzip_bomb_of_floats, again=True),
    Attack("gzip members", "a hundred thousand empty gzip members in a body", 8, r.gzip_members, again=True, gate=True),
    Attack("gzip nowhere", "gzip bombs for a route that does not exist", 32, r.gzip_bomb_nowhere, again=True),
    Attack("deflate bombs", "deflate bombs for the inference protocol", 8, r.deflate_bomb, again=True),
)

SLOW = (
    Attack("idle", "connections that send nothing", 2000, r.nothing),
    Attack("idle from everywhere", "the same from 200 addresses", 2000, r.nothing, addresses=200, gate=True),
    Attack("large heads", "31 KB of a head, never ended", 1000, r.large_head, gate=True),
    Attack("drip heads", "a byte of a head at a time", 200, r.begun_head, drip=b"a", every=DRIP_S, slow=True, gate=True),
    Attack("drip large heads", "a byte at a time after 31 KB of a head", 200, r.large_head, drip=b"a", every=DRIP_S, slow=True),
    Attack("drip bodies", "a byte of a body at a time", 200, r.begun_body, drip=b"1", every=DRIP_S, slow=True, gate=True),
    Attack("drip chunks", "a chunk of one byte at a time", 200, r.begun_chunks, drip=b"1\r\n1\r\n", every=DRIP_S, slow=True),
    Attack("drip chunks nowhere", "the same for a route that does not exist", 200, r.begun_chunks_nowhere, drip=b"1\r\n1\r\n",
           every=DRIP_S, slow=True),
    Attack("drip trailers", "a trailer at a time after a whole body", 100, r.begun_trailers, drip=b"X: y\r\n", every=DRIP_S,
           slow=True),
    Attack("drip readers", "64 bytes of a large result read at a time", 20, r.large_result, read=64, every=DRIP_S, slow=True,
           receive_buffer=4096, gate=True),
    Attack("drip readers of lines", "64 bytes of a stream read at a time", 64, r.lines, read=64, every=DRIP_S, slow=True,
           receive_buffer=4096),
    Attack("tls", "a TLS ClientHello, then silence", 200, r.client_hello, gate=True),
)

FLOODS = (
    Attack("half", "a request, then FIN", 200, r.small, again=True, goodbye="half"),
    Attack("half empty", "FIN at once", 200, r.nothing, again=True, goodbye="half", addresses=4),
    Attack("half heads", "the beginning of a head, then FIN", 200, r.begun_head, again=True, goodbye="half", addresses=4),
    Attack("send and close", "a request, then closed", 100, r.small, again=True, goodbye="close", addresses=8, gate=True),
    Attack("send and close, worker", "a request for the workers, then closed", 100, r.worker_sized, again=True,
           goodbye="close", addresses=8, gate=True),
    Attack("reset", "a part of a request, then reset", 100, r.half_small, again=True, goodbye="reset", addresses=8, gate=True),
    Attack("head flood", "HEAD on connections kept alive", 64, r.head_request, again=True, gate=True),
    Attack("options flood", "OPTIONS on connections kept alive", 64, r.options_request, again=True),
    Attack("metrics flood", "/metrics on connections kept alive", 64, r.metrics, again=True),
    Attack("small flood", "small calls on 256 connections", 256, r.small, again=True, gate=True),
    Attack("query flood", "a query of 1,200 arguments", 64, r.long_query, again=True, gate=True),
)

WORK = (
    Attack("starve", "calls of [16,1000] on 200 connections", 200, r.share_of_workers, again=True, gate=True),
    Attack("long", "a billion draws for a request of 5 KB", 16, r.long_categorical, again=True, gate=True),
    Attack("long vjp", "hundreds of millions of conditional samples for a request of 36 KB", 16, r.long_vjp, again=True),
    Attack("long batch", "a thousand calls of five million draws in a batch", 16, r.long_batch, again=True, gate=True),
    Attack("ranking", "draws without replacement through all filters", 32, r.ranking, again=True),
)

ALL = MEMORY + ENCODINGS + SLOW + FLOODS + WORK
