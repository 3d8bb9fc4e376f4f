"""Attention against the papers' formulas in numpy, against torch's own where it is the same, and its masks."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gatework.errors import UsageError
from gatework.layers import BahdanauAttention, LuongAttention
from gatework.layers.attention import SCORES

T, S, B, Q, M, A = 3, 5, 4, 6, 7, 2
LENGTHS = [5, 2, 1, 4]
KINDS = ["bahdanau", *SCORES]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make(kind):
    torch.manual_seed(1)
    if kind == "bahdanau":
        return BahdanauAttention(Q, M, A, dtype=torch.float64)
    return LuongAttention(Q, Q if "dot" in kind else M, kind, A if kind == "concat" else None, dtype=torch.float64)


def energy(kind, w, s, m):
    """How well a query s fits a step m of the memory, as the papers write it."""
    match kind:
        case "dot":
            return s @ m
        case "scaled_dot":
            return s @ m / np.sqrt(len(s))
        case "general":
            return s @ w["W"] @ m
        case "bahdanau":
            return w["v"] @ np.tanh(w["W_query"] @ s + w["W_memory"] @ m)
        case "concat":
            joined = np.concatenate([w["additive.W_query"], w["additive.W_memory"]], axis=1)
            return w["additive.v"] @ np.tanh(joined @ np.concatenate([s, m]))


def by_hand(kind, made, query, memory, lengths):
    """Step by step and sequence by sequence."""
    w = {name: one.detach().numpy() for name, one in made.named_parameters()}
    contexts, weights = np.zeros((T, B, memory.shape[2])), np.zeros((T, B, S))
    for t in range(T):
        for k in range(B):
            known = memory[: lengths[k], k].numpy()
            e = np.array([energy(kind, w, query[t, k].numpy(), m) for m in known])
            alpha = np.exp(e) / np.exp(e).sum()
            weights[t, k, : lengths[k]] = alpha
            contexts[t, k] = alpha @ known
    return torch.from_numpy(contexts), torch.from_numpy(weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_contexts_and_weights_are_those_of_the_papers(kind, lengths):
    made = make(kind)
    query, memory = random(T, B, Q, seed=1), random(S, B, made.memory_size, seed=2)
    expected = by_hand(kind, made, query, memory, lengths or [S] * B)
    found = made(query, memory, lengths)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    for t in range(T):  # one step is one row
        for one, other in zip(made(query[t], memory, lengths), found, strict=True):
            torch.testing.assert_close(one, other[t], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_padded_has_no_weight_no_say_and_no_gradient(kind):
    made = make(kind)
    query, memory = random(T, B, Q, seed=1), random(S, B, made.memory_size, seed=2)
    context, weights = made(query, memory, torch.tensor(LENGTHS))
    torch.testing.assert_close(weights.sum(-1), torch.ones(T, B, dtype=torch.float64), rtol=1e-12, atol=0)
    other = memory.clone()
    for k, length in enumerate(LENGTHS):
        assert (weights[:, k, length:] == 0).all()
        assert (weights[:, k, :length] > 0).all()
        other[length:, k] = 1e3
    other.requires_grad_()
    again, _ = made(query, other, LENGTHS)
    torch.testing.assert_close(again, context, rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(again.square().sum(), other)
    for k, length in enumerate(LENGTHS):
        assert (gradient[length:, k] == 0).all()
        assert (gradient[:length, k] != 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind):
    made = make(kind)
    query, memory = random(T, B, Q, seed=1), random(S, B, made.memory_size, seed=2)
    leaves = [query.requires_grad_(), memory.requires_grad_(), *made.parameters()]
    names = [name for name, _ in made.named_parameters()]

    def run(query, memory, *weights):
        return torch.func.functional_call(made, dict(zip(names, weights, strict=True)), (query, memory, LENGTHS))

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize(("kind", "scale"), [("dot", 1.0), ("scaled_dot", None)])
def test_products_are_torchs_scaled_dot_product_attention(kind, scale):
    query, memory = random(T, B, Q, seed=1), random(S, B, Q, seed=2)
    there = torch.arange(S) < torch.tensor(LENGTHS)[:, None]
    values = memory.transpose(0, 1)
    expected = F.scaled_dot_product_attention(
        query.transpose(0, 1), values, values, attn_mask=there[:, None, :], scale=scale
    )
    context, _ = make(kind)(query, memory, LENGTHS)
    torch.testing.assert_close(context.transpose(0, 1), expected, rtol=1e-12, atol=1e-12)


def test_large_scores_do_not_overflow():
    context, weights = LuongAttention(1, 1, "dot")(torch.full((1, 1), 1e4), torch.tensor([[[1e4]], [[-1e4]]]))
    assert weights.tolist() == [[1.0, 0.0]]
    assert context.item() == 1e4


def test_concat_is_additive():
    luong, bahdanau = make("concat"), make("bahdanau")
    bahdanau.load_state_dict({name.removeprefix("additive."): one for name, one in luong.state_dict().items()})
    query, memory = random(T, B, Q, seed=1), random(S, B, M, seed=2)
    for one, other in zip(luong(query, memory), bahdanau(query, memory), strict=True):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_refused():
    made = BahdanauAttention(Q, M)
    query, memory = torch.zeros(T, B, Q), torch.zeros(S, B, M)
    for wrong in (query[:, :, 1:], query[:, 1:], query[0, 0]):
        with pytest.raises(UsageError, match=r"^The query has shape"):
            made(wrong, memory)
    for wrong in (memory[:, :, 1:], memory[:0], memory[0]):
        with pytest.raises(UsageError, match=r"^The memory has shape"):
            made(query, wrong)
    for lengths in ([1] * (B - 1), [0, 1, 1, 1], [S + 1, 1, 1, 1], [1.0] * B):
        with pytest.raises(UsageError, match=r"^The lengths are"):
            made(query, memory, lengths)
    for options in ((Q, M, "dot"), (Q, M, "scaled_dot")):
        with pytest.raises(UsageError, match="as long as a step of the memory, not 6 and 7"):
            LuongAttention(*options)
    with pytest.raises(UsageError, match="no score 'cosine': choose one of dot, scaled_dot, general, concat"):
        LuongAttention(Q, M, "cosine")
    for sizes in ((0, M), (Q, 0), (Q, M, 0)):
        with pytest.raises(UsageError):
            BahdanauAttention(*sizes)
