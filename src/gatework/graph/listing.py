"""A graph as a table: one line a node, in the order of evaluation."""

from gatework.graph.graph import Graph, Node
from gatework.graph.ops import Op
from gatework.graph.printing import shortest


def listing(graph: Graph) -> list[tuple[str, str, str, str, str]]:
    """Rows of (node, operation, operands, shape, name), all text."""
    rows = []
    for k, node in enumerate(graph.nodes):
        operands = " ".join(f"%{arg}" for arg in node.args)
        rows.append((f"%{k}", node.op.value, operands, _shape(node), _name(graph, k)))
    return rows


def _shape(node: Node) -> str:
    return "×".join(node.shape) if node.shape else "·"


def _name(graph: Graph, k: int) -> str:
    node = graph.nodes[k]
    name = shortest(node.value) if node.op is Op.CONSTANT else node.name
    updates = [state for state, output in zip(graph.states, graph.outputs, strict=True) if output == k]
    return f"{name} → state {', '.join(updates)}" if updates else name
