"""The page of results, in Markdown."""

from __future__ import annotations

from gatework.bench.comparisons import growth, own, skipped
from gatework.bench.markdown import counted
from gatework.bench.record import Record
from gatework.bench.sections import costs, limits, summary, times
from gatework.bench.sides import SIDES


def page(record: Record) -> str:
    """The whole page: the command, what it ran on, how it was measured, and every table."""
    sections = (summary, times, limits, costs, own, growth, skipped)
    parts = [_head(record), *(section(record) for section in sections)]
    return "\n".join("\n".join([*part, ""]) for part in parts if part)


def _head(record: Record) -> list[str]:
    about, settings = record.processor, record.settings
    packages = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    features = f" ({', '.join(about['features'])})" if about["features"] else ""
    kernels = ", ".join(dict.fromkeys(row.kernel for row in record.rows if row.side == "ours"))
    rates = "; ".join(
        f"on {counted(one.threads, 'thread')} {one.sgemm / 1e9:.0f} GFLOP/s by {one.library} (torch.mm: "
        f"{one.torch / 1e9:.0f}) and {one.copy / 1e9:.0f} GB/s"
        for one in record.rates.values()
    )
    sides = ", ".join(f"`{name}` {side.title}" for name, side in SIDES.items() if name in settings["peers"])
    difference = max((row.difference for row in record.rows), default=0.0)
    return [
        "# How fast the layers are",
        "",
        f"`{record.command}` on {packages}.",
        f"{about['name']}{features}, {counted(about['count'], 'processor')}, {about['system']}, load {about['load']:g} "
        f"before; torch uses {about['torch']}.",
        f"Matrix product and large copy at their best in this run: {rates}.",
        "",
        f"Ours runs the `{kernels}` back-end. {f'Peers: {sides}. ' if sides else ''}All in {settings['dtype']}, with "
        "the same weights and inputs and equal threads. Outputs and gradients of all sides were found equal to those "
        f"of the reference back-end: the largest difference is {difference:.1e} of the largest entry.",
        "",
        "A forward pass records no gradient. A training step is forward, backward and the gradients of all weights"
        f"{' and the input' if settings['input_grad'] else ''}, from a fixed gradient that arrives for the output. All "
        f"sides take turns; a time is the median of {settings['least']} to {settings['most']} rounds after a warm-up, "
        "a ratio (×) the median over rounds of their time over ours: above 1, ours is the faster. GFLOP/s count the "
        "matrix products of the equations alone; the share is of the best square product above.",
    ]
