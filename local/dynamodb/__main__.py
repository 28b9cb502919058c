"""Start the gate: `python -m local.dynamodb --port 0 --backend URL --aws URL|none --ready-file F`.

The ready file, written when connections are accepted and DynamoDB Local answers: {"port": n}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from pathlib import Path

from aiohttp import web

from local.dynamodb.gate import Gate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.dynamodb", description="The gate before DynamoDB Local.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--backend", required=True, help="DynamoDB Local, such as http://127.0.0.1:8000")
    parser.add_argument("--aws", required=True, help="moto: where metrics go and files are; none: nowhere")
    parser.add_argument("--ready-file", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    aws = None if options.aws == "none" else options.aws
    runner = web.AppRunner(Gate(options.backend, aws).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port)
    await site.start()
    ready = {"port": runner.addresses[0][1]}
    unfinished = options.ready_file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(ready))
    os.replace(unfinished, options.ready_file)
    logging.info("ready: %s", ready)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
