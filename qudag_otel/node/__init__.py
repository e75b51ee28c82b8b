"""A real QuDAG node, watched through its RPC: address -> rpc -> facts -> memory -> bridge."""

from qudag_otel.node.bridge import NodeBridge
from qudag_otel.node.rpc import Address

__all__ = ["Address", "NodeBridge"]
