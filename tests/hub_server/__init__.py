"""A small Hub on this machine: enough of the real one's protocol for the real client to publish, fetch and search."""

from hub_server.faults import Cut, Fault, Faults, Lose, Refuse, Slow, Status
from hub_server.server import TOKEN, HubServer
from hub_server.store import Blob, Store

__all__ = ["TOKEN", "Blob", "Cut", "Fault", "Faults", "HubServer", "Lose", "Refuse", "Slow", "Status", "Store"]
