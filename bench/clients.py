"""What a signed request costs with each HTTP client of AWS's SDK: case names client.*.

The same body is posted to the server that only answers; `.unsigned`: signed once, before. That is the ground for the
job's choice of a client, and says what of a row's cost the signature is.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.lab import Floor, Lab
from bench.results import Case, Figures, case, of_slope

CLIENTS = ("apache5", "urlconnection", "crt", "crt.async", "netty")
USED = "apache5"
_THREADS = 4  # requests on their way: enough to keep two cores busy
_WARM_UPS = 3


def measure(lab: Lab, items: int, rounds: int, say: Callable[[str], None]) -> dict[str, Case]:
    """Each client, with a signature for each request; and the one that the job has without. items: of a round."""
    runs = [(client, True) for client in CLIENTS] + [(USED, False)]
    found: dict[str, Case] = {}
    for client, signs in runs:
        name = f"client.{client}" if signs else f"client.{client}.unsigned"
        arguments = (str(lab.answers.port), str(_THREADS), str(items), client, str(signs).lower())
        poster = Floor(lab.layout.bench / "clients", "ClientPoster", *arguments)
        try:
            figures: list[Figures] = [of_slope(poster.round()) for _ in range(_WARM_UPS + rounds)][_WARM_UPS:]
        finally:
            poster.stop()
        found[name] = case(figures)
        say(f"{name}: {found[name]['cpuSecondsPerMillionRows']:.1f} CPU s per million items")
    return found
