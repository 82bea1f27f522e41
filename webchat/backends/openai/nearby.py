"""Finds model servers on this machine at their usual ports. Asks loopback only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from webchat.backends.openai import OpenAIModel
from webchat.errors import BackendUnavailable, NoThreads

PORTS = {11434: "Ollama", 1234: "LM Studio", 8080: "llama.cpp", 8000: "vLLM"}
PATIENCE = 0.3  # seconds; a server on this machine answers within a few milliseconds


@dataclass(frozen=True)
class NearbyServer:
    """A server that has listed its models. `name` is what usually listens at that port."""

    name: str
    port: int
    models: tuple[str, ...]


def address_at(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def nearby_servers(own_port: int) -> list[NearbyServer]:
    """The servers that answer quickly, all asked in parallel; never the chat's own port. Raises NoThreads."""
    ports = [port for port in PORTS if port != own_port]
    with ThreadPoolExecutor(len(ports)) as pool:
        try:
            found = pool.map(_ask, ports)
        except RuntimeError as error:
            raise NoThreads from error
    return [server for server in found if server]


def _ask(port: int) -> NearbyServer | None:
    model = OpenAIModel(address_at(port), connect_timeout=PATIENCE)
    try:
        return NearbyServer(PORTS[port], port, tuple(model.list_models(within=PATIENCE)))
    except BackendUnavailable:
        return None
    finally:
        model.close()
