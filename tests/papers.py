"""The cells as their papers print them: numpy, the paper's notation, one sequence, one time step.

The formulas are those of the papers and of the authors' code, not of the catalogue's files. `W["i"]` is an input
matrix, `U["i"]` a recurrent one, `b["i"]` a bias, `p["i"]` a diagonal weight.
"""

import numpy as np

TINY = 1e-11

GRID = ["u", "f", "o", "c", "ud", "fd", "od", "cd"]


def σ(a):
    return 1 / (1 + np.exp(-a))


def relu(a):
    return np.where(a > 0, a, 0)


def softplus(a):
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0)


def elman(x, h, *, W, U, b, p):
    return (np.tanh(W["h"] @ x + U["h"] @ h + b["h"]),)


def elman_relu(x, h, *, W, U, b, p):
    return (relu(W["h"] @ x + U["h"] @ h + b["h"]),)


def cho_v1_as_in_cudnn(x, h, *, W, U, b, p):
    r, z = (σ(W[k] @ x + U[k] @ h + b[k]) for k in "rz")
    candidate = np.tanh(W["n"] @ x + b["n"] + r * (U["n"] @ h + b["Un"]))
    return (z * h + (1 - z) * candidate,)


def cho_v3(x, h, *, W, U, b, p):
    r, z = (σ(W[k] @ x + U[k] @ h + b[k]) for k in "rz")
    candidate = np.tanh(W["n"] @ x + U["n"] @ (r * h) + b["n"])
    return (z * h + (1 - z) * candidate,)


def _lstm(x, h, c, W, U, b, p, *, i=None, f=None, o=None, g=np.tanh, out=np.tanh):
    """Greff et al. 2017, with what a variant changes: a constant gate, another activation."""
    zero = np.zeros_like(h)
    i = σ(W["i"] @ x + U["i"] @ h + p.get("i", zero) * c + b["i"]) if i is None else i
    f = σ(W["f"] @ x + U["f"] @ h + p.get("f", zero) * c + b["f"]) if f is None else f
    z = g(W["g"] @ x + U["g"] @ h + b["g"])
    c = z * i + c * f
    o = σ(W["o"] @ x + U["o"] @ h + p.get("o", zero) * c + b["o"]) if o is None else o
    return out(c) * o, c


def gers_2000(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, {})


def gers_peepholes(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p)


def hochreiter_1997(x, h, c, *, W, U, b, p):
    def g(a):  # the centred logistic in [-2, 2]
        return 4 / (1 + np.exp(-a)) - 2

    def squash(a):  # that in [-1, 1]
        return 2 / (1 + np.exp(-a)) - 1

    return _lstm(x, h, c, W, U, b, {}, f=1.0, g=g, out=squash)


def nig(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p, i=1.0)


def nfg(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p, f=1.0)


def nog(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p, o=1.0)


def niaf(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p, g=lambda a: a)


def noaf(x, h, c, *, W, U, b, p):
    return _lstm(x, h, c, W, U, b, p, out=lambda a: a)


def greff_cifg(x, h, c, *, W, U, b, p):
    zero = np.zeros_like(h)
    f = σ(W["f"] @ x + U["f"] @ h + p.get("f", zero) * c + b["f"])  # the paper's f = 1 - i
    return _lstm(x, h, c, W, U, b, p, i=1 - f, f=f)


def greff_fgr(x, h, c, i, f, o, *, W, U, b, p):
    def recurrent(gate):
        return U[f"i2{gate}"] @ i + U[f"f2{gate}"] @ f + U[f"o2{gate}"] @ o

    new_i, new_f = (σ(W[k] @ x + U[k] @ h + p[k] * c + b[k] + recurrent(k)) for k in "if")
    c = new_i * np.tanh(W["g"] @ x + U["g"] @ h + b["g"]) + new_f * c
    new_o = σ(W["o"] @ x + U["o"] @ h + p["o"] * c + b["o"] + recurrent("o"))
    return new_o * np.tanh(c), c, new_i, new_f, new_o


def van_der_westhuizen_2018(x, h, *, W, U, b, p):
    s, β = W["f"] @ x + U["f"] @ h + b["f"], 1.0
    candidate = np.tanh(W["n"] @ x + U["n"] @ h + b["n"])
    return (σ(s) * h + (1 - σ(s - β)) * candidate,)


def _dey_salem(x, h, z, r, W, U, b):
    candidate = np.tanh(W["n"] @ x + U["n"] @ (r * h) + b["n"])
    return ((1 - z) * h + z * candidate,)


def dey_salem_1(x, h, *, W, U, b, p):
    return _dey_salem(x, h, *(σ(U[k] @ h + b[k]) for k in "zr"), W, U, b)


def dey_salem_2(x, h, *, W, U, b, p):
    return _dey_salem(x, h, *(σ(U[k] @ h) for k in "zr"), W, U, b)


def dey_salem_3(x, h, *, W, U, b, p):
    return _dey_salem(x, h, *(σ(b[k]) for k in "zr"), W, U, b)


def _mgu(x, h, f, W, U, b):
    candidate = np.tanh(W["n"] @ x + U["n"] @ (f * h) + b["n"])
    return ((1 - f) * h + f * candidate,)


def zhou_2016(x, h, *, W, U, b, p):
    return _mgu(x, h, σ(W["f"] @ x + U["f"] @ h + b["f"]), W, U, b)


def heck_salem_1(x, h, *, W, U, b, p):
    return _mgu(x, h, σ(U["f"] @ h + b["f"]), W, U, b)


def heck_salem_2(x, h, *, W, U, b, p):
    return _mgu(x, h, σ(U["f"] @ h), W, U, b)


def heck_salem_3(x, h, *, W, U, b, p):
    return _mgu(x, h, σ(b["f"]), W, U, b)


def mut1(x, h, *, W, U, b, p):
    z = σ(W["z"] @ x + b["z"])
    r = σ(W["r"] @ x + U["r"] @ h + b["r"])
    projected = W["n"] @ x if "n" in W else x
    return (np.tanh(U["n"] @ (r * h) + np.tanh(projected) + b["n"]) * z + h * (1 - z),)


def mut2(x, h, *, W, U, b, p):
    z = σ(W["z"] @ x + U["z"] @ h + b["z"])
    projected = W["r"] @ x if "r" in W else x
    r = σ(projected + U["r"] @ h + b["r"])
    return (np.tanh(U["n"] @ (r * h) + W["n"] @ x + b["n"]) * z + h * (1 - z),)


def mut3(x, h, *, W, U, b, p):
    z = σ(W["z"] @ x + U["z"] @ np.tanh(h) + b["z"])
    r = σ(W["r"] @ x + U["r"] @ h + b["r"])
    return (np.tanh(U["n"] @ (r * h) + W["n"] @ x + b["n"]) * z + h * (1 - z),)


def collins_2016(x, h, *, W, U, b, p):
    c = np.tanh(W["c"] @ x + U["c"] @ h + b["c"])
    g = σ(W["g"] @ x + U["g"] @ h + b["g"])
    return (g * h + (1 - g) * c,)


def lee_2017(x, h, c, *, W, U, b, p):
    content = W["c"] @ x
    i, f = (σ(W[k] @ x + U[k] @ h + b[k]) for k in "if")
    c = i * content + f * c
    return np.tanh(c), c


def chen_2017(x, h, *, W, U, b, p):
    Φ = np.tanh(W["v"] @ x)
    u = σ(W["u"] @ Φ + U["u"] @ h + b["u"])
    return (u * h + (1 - u) * Φ,)


def laurent_2017(x, h, *, W, U, b, p):
    θ, η = (σ(W[k] @ x + U[k] @ h + b[k]) for k in "fi")
    return (θ * np.tanh(h) + η * np.tanh(W["n"] @ x),)


def zoph_2017(x, h, c, *, W, U, b, p):
    def both(k):
        return W[f"n{k}"] @ x + U[f"n{k}"] @ h

    leaves = [
        σ(both(0)),
        relu(both(1)),
        σ(both(2)),
        relu((W["n3"] @ x) * (U["n3"] @ h)),
        np.tanh(both(4)),
        σ(both(5)),
        np.tanh(both(6)),
        σ(both(7)),
    ]
    l0 = np.tanh(leaves[0] * leaves[1])
    l1 = np.tanh(leaves[2] + leaves[3])
    l2 = np.tanh(leaves[4] * leaves[5])
    l3 = σ(leaves[6] + leaves[7])
    l0 = np.tanh(l0 + c)
    new = l0 * l1
    return np.tanh(new * np.tanh(l2 + l3)), new


def li_2018(x, h, *, W, U, b, p):
    return (relu(W["h"] @ x + p["h"] * h + b["h"]),)


def gonnet_gru(x, h, *, W, U, b, p):
    r, z = (σ(W[k] @ x + p[k] * h + b[k]) for k in "rz")
    return (z * h + (1 - z) * np.tanh(W["n"] @ x + p["n"] * r * h + b["n"]),)


def gonnet_lstm(x, h, c, *, W, U, b, p):
    i, f, o = (σ(W[k] @ x + p[k] * h + b[k]) for k in "ifo")
    c = f * c + i * np.tanh(W["g"] @ x + p["g"] * h + b["g"])
    return o * np.tanh(c), c


def feng_gru(x, h, *, W, U, b, p):
    z = σ(W["z"] @ x + b["z"])
    return ((1 - z) * h + z * (W["n"] @ x + b["n"]),)


def feng_lstm(x, h, *, W, U, b, p):
    f, i = (σ(W[k] @ x + b[k]) for k in "fi")
    return (f / (f + i) * h + i / (f + i) * (W["n"] @ x + b["n"]),)


def lei_v1(x, h, c, *, W, U, b, p):
    f, r = (σ(W[k] @ x + b[k]) for k in "fr")
    c = f * c + (1 - f) * (W["c"] @ x)
    highway = W["h"] @ x if "h" in W else x
    return r * np.tanh(c) + (1 - r) * highway, c


def lei_v2(x, h, c, *, W, U, b, p):
    f, r = (σ(W[k] @ x + p[k] * c + b[k]) for k in "fr")
    c = f * c + (1 - f) * (W["c"] @ x)
    α = np.sqrt(3)  # √(1 + 2 exp(bias)), of the bias 0 at which the gate starts
    return r * c + (1 - r) * α * x, c


def bradbury_fo(x, h, c, *, W, U, b, p):
    f, o = (σ(W[k] @ x + b[k]) for k in "fo")
    c = f * c + (1 - f) * np.tanh(W["g"] @ x + b["g"])
    return o * c, c


def rusch_lem(x, y, z, *, W, U, b, p):
    Δt = 1.0
    Δ1, Δ2 = (Δt * σ(W[k] @ x + U[k] @ y + b[k]) for k in ("d1", "d2"))
    z = (1 - Δ2) * z + Δ2 * np.tanh(W["z"] @ x + U["z"] @ y + b["z"])
    y = (1 - Δ1) * y + Δ1 * np.tanh(W["y"] @ x + U["y"] @ z + b["y"])
    return y, z


def rusch_cornn(x, y, z, *, W, U, b, p):
    Δt, γ, ε = 0.042, 2.7, 4.7
    z = z + Δt * (np.tanh(W["z"] @ x + U["z"] @ z + U["y"] @ y + b["z"]) - γ * y - ε * z)
    return y + Δt * z, z


def yao_2015(x, h, c, *, c_below, W, U, b, p):
    i, f = (σ(W[k] @ x + U[k] @ h + p[k] * c + b[k]) for k in "if")
    d = σ(b["d"] + W["d"] @ x + p["d"] * c + p["below"] * c_below)
    c = d * c_below + f * c + i * np.tanh(W["g"] @ x + U["g"] @ h + b["g"])
    o = σ(W["o"] @ x + U["o"] @ h + p["o"] * c + b["o"])
    return o * np.tanh(c), c


def _grid_block(H, m, W, b):
    u, f, o = (σ(W[k] @ H + b[k]) for k in "ufo")
    m = f * m + u * np.tanh(W["c"] @ H + b["c"])
    return np.tanh(o * m), m


def kalchbrenner_2015(x, hd, md, h, m, *, md_below, W, U, b, p, priority=False):
    """Each dimension has its own LSTM on H = [h_time; h_depth]; `x` is what comes up, h_depth."""
    time = {k: np.hstack([U[k], W[k]]) for k in "ufoc"}
    depth = {k: np.hstack([U[f"{k}d"], W[f"{k}d"]]) for k in "ufoc"}
    new, m = _grid_block(np.concatenate([h, x]), m, time, b)
    read = new if priority else h
    hd, md = _grid_block(np.concatenate([read, x]), md_below, depth, {k: b[f"{k}d"] for k in "ufoc"})
    return hd, md, new, m


def ravanelli_ligru(x, h, *, W, U, b, p):
    """After training, with running averages of mean 0 and variance 1."""
    z, a = (p[k] * (W[k] @ x) / np.sqrt(1 + 1e-5) + b[k] + U[k] @ h for k in "zn")
    return (σ(z) * h + (1 - σ(z)) * relu(a),)


def moumen_sligru(x, h, *, W, U, b, p):
    """The same, with one layer norm over the 2H products with the state."""
    u = np.concatenate([U["n"] @ h, U["z"] @ h])
    u = (u - u.mean()) / np.sqrt(u.var() + 1e-5)
    w = {k: p[k] * (W[k] @ x) / np.sqrt(1 + 1e-5) + b[k] for k in "nz"}
    n, z = relu(w["n"] + u[: len(h)]), σ(w["z"] + u[len(h) :])
    return (z * h + (1 - z) * n,)


def bittar_sbru(x, h, *, W, U, b, p):
    return (σ(W["h"] @ x + U["h"] @ np.log(h + TINY) + b["h"]),)


def bittar_libru(x, h, *, W, U, b, p):
    z = σ(W["z"] @ x + U["z"] @ np.log(h + TINY) + b["z"])
    candidate = σ(W["n"] @ x + U["n"] @ np.log(h + TINY) + b["n"])
    return (z * h + (1 - z) * candidate,)


def libru_exact_logarithm(x, s, *, W, U, b, p):
    """Of h = exp(-s): the candidate is the probability exp(-softplus(a)) = σ(-a)."""
    z = σ(W["z"] @ x + U["z"] @ s + b["z"])
    candidate = σ(-(W["n"] @ x + U["n"] @ s + b["n"]))
    return (-np.log(z * np.exp(-s) + (1 - z) * candidate),)


def libru_as_coded(x, s, *, W, U, b, p):
    z = σ(W["z"] @ x + U["z"] @ s + b["z"])
    c = softplus(W["n"] @ x + U["n"] @ s + b["n"])
    return (np.log(z * np.exp(s) + (1 - z) * np.exp(c)),)


def bittar_ubru(x, a, *, W, U, b, p):
    ratio = np.exp(np.minimum(W["r"] @ x + b["r"], 10))
    τ11, τ01 = σ(p["stay"]), σ(p["rise"])
    predicted = τ11 * a + τ01 * (1 - a)
    return (σ(np.log(predicted / (1 - predicted)) - np.log(ratio)),)


def beck_2024(x, h, c, n, m, *, W, U, b, p):
    ĩ, f̃, z̃, õ = (W[k] @ x + U[k] @ h + b[k] for k in "ifzo")
    new_m = np.maximum(np.log(σ(f̃)) + m, ĩ)
    i, f = np.exp(ĩ - new_m), np.exp(np.log(σ(f̃)) + m - new_m)
    c = f * c + i * np.tanh(z̃)
    n = f * n + i
    return σ(õ) * c / n, c, n, new_m


def orvieto_2023(x, y, re, im, *, W, U, b, p):
    λ = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    s = λ * (re + 1j * im) + np.exp(p["gamma"]) * ((W["re"] + 1j * W["im"]) @ x)
    return ((U["re"] + 1j * U["im"]) @ s).real + p["D"] * x, s.real, s.imag


def de_2024(x, h, started, *, W, U, b, p):
    r, i = (σ(W[k] @ x + b[k]) for k in "ri")
    log_a = -8 * r * softplus(p["a"])
    multiplier = np.where(started > 0, np.sqrt(1 - np.exp(2 * log_a)), 1)
    return np.exp(log_a) * h + multiplier * (i * x), np.ones_like(h)


def voelker_2019(x, h, m, *, W, U, b, p):
    u = p["ex"] @ x + p["eh"] @ h + p["em"] @ m
    m = U["A"] @ m + p["B"] * u
    return np.tanh(W["h"] @ x + U["h"] @ h + U["m"] @ m), m


def koutnik_2014(x, h, t, *, W, U, b, p):
    acts = t % p["period"] == 0
    return np.where(acts, np.tanh(W["h"] @ x + U["h"] @ h + b["h"]), h), t + 1


# Name → formula; the names of its input matrices, recurrent matrices, biases and diagonal weights; and its number of
# weights as the reference prints it, of N, H and G = NH + H² + H.
PAPERS = {
    "rnn": (elman, "h", "h", "h", "", lambda N, H, G: G),
    "rnn_relu": (elman_relu, "h", "h", "h", "", lambda N, H, G: G),
    "irnn": (elman_relu, "h", "h", "h", "", lambda N, H, G: G),
    "gru": (cho_v1_as_in_cudnn, "rzn", "rzn", ["r", "z", "n", "Un"], "", lambda N, H, G: 3 * G + H),
    "gru_reset_before": (cho_v3, "rzn", "rzn", "rzn", "", lambda N, H, G: 3 * G),
    "gru1": (dey_salem_1, "n", "rzn", "rzn", "", lambda N, H, G: 3 * G - 2 * N * H),
    "gru2": (dey_salem_2, "n", "rzn", "n", "", lambda N, H, G: 3 * G - 2 * N * H - 2 * H),
    "gru3": (dey_salem_3, "n", "n", "rzn", "", lambda N, H, G: 3 * G - 2 * N * H - 2 * H * H),
    "depth_gated_lstm": (
        yao_2015,
        "ifgod",
        "ifgo",
        "ifgod",
        ["i", "f", "o", "d", "below"],
        lambda N, H, G: 4 * G + 3 * H + N * H + 3 * H,
    ),
    "grid_lstm": (
        kalchbrenner_2015,
        GRID,
        GRID,
        GRID,
        "",
        lambda N, H, G: 8 * N * H + 8 * H * H + 8 * H,
    ),
    "ligru": (ravanelli_ligru, "zn", "zn", "zn", "zn", lambda N, H, G: 2 * N * H + 2 * H * H + 4 * H),
    "sligru": (moumen_sligru, "zn", "zn", "zn", "zn", lambda N, H, G: 2 * N * H + 2 * H * H + 4 * H),
    "lstm": (gers_2000, "ifgo", "ifgo", "ifgo", "", lambda N, H, G: 4 * G),
    "lstm_1997": (hochreiter_1997, "igo", "igo", "igo", "", lambda N, H, G: 3 * G),
    "lstm_peephole": (gers_peepholes, "ifgo", "ifgo", "ifgo", "ifo", lambda N, H, G: 4 * G + 3 * H),
    "lstm_nig": (nig, "fgo", "fgo", "fgo", "fo", lambda N, H, G: 3 * G + 2 * H),
    "lstm_nfg": (nfg, "igo", "igo", "igo", "io", lambda N, H, G: 3 * G + 2 * H),
    "lstm_nog": (nog, "ifg", "ifg", "ifg", "if", lambda N, H, G: 3 * G + 2 * H),
    "lstm_niaf": (niaf, "ifgo", "ifgo", "ifgo", "ifo", lambda N, H, G: 4 * G + 3 * H),
    "lstm_noaf": (noaf, "ifgo", "ifgo", "ifgo", "ifo", lambda N, H, G: 4 * G + 3 * H),
    "lstm_cifg": (greff_cifg, "fgo", "fgo", "fgo", "fo", lambda N, H, G: 3 * G + 2 * H),
    "lstm_fgr": (
        greff_fgr,
        "ifgo",
        [*"ifgo", *(f"{a}2{b}" for a in "ifo" for b in "ifo")],
        "ifgo",
        "ifo",
        lambda N, H, G: 4 * G + 3 * H + 9 * H * H,
    ),
    "cifg": (greff_cifg, "fgo", "fgo", "fgo", "", lambda N, H, G: 3 * G),
    "janet": (van_der_westhuizen_2018, "fn", "fn", "fn", "", lambda N, H, G: 2 * G),
    "mgu": (zhou_2016, "fn", "fn", "fn", "", lambda N, H, G: 2 * G),
    "mgu1": (heck_salem_1, "n", "fn", "fn", "", lambda N, H, G: 2 * G - N * H),
    "mgu2": (heck_salem_2, "n", "fn", "n", "", lambda N, H, G: 2 * G - N * H - H),
    "mgu3": (heck_salem_3, "n", "n", "fn", "", lambda N, H, G: 2 * G - N * H - H * H),
    "mut1": (mut1, "zrn", "rn", "zrn", "", lambda N, H, G: 3 * N * H + 2 * H * H + 3 * H),
    "mut2": (mut2, "zrn", "zrn", "zrn", "", lambda N, H, G: 3 * N * H + 3 * H * H + 3 * H),
    "mut3": (mut3, "zrn", "zrn", "zrn", "", lambda N, H, G: 3 * G),
    "ugrnn": (collins_2016, "cg", "cg", "cg", "", lambda N, H, G: 2 * G),
    "ran": (lee_2017, "cif", "if", "if", "", lambda N, H, G: 3 * N * H + 2 * H * H + 2 * H),
    "cfn": (laurent_2017, "fin", "fi", "fi", "", lambda N, H, G: 3 * N * H + 2 * H * H + 2 * H),
    "nas": (
        zoph_2017,
        [f"n{k}" for k in range(8)],
        [f"n{k}" for k in range(8)],
        "",
        "",
        lambda N, H, G: 8 * (N + H) * H,
    ),
    "indrnn": (li_2018, "h", "", "h", "h", lambda N, H, G: N * H + 2 * H),
    "indygru": (gonnet_gru, "rzn", "", "rzn", "rzn", lambda N, H, G: 3 * N * H + 6 * H),
    "indylstm": (gonnet_lstm, "ifgo", "", "ifgo", "ifgo", lambda N, H, G: 4 * N * H + 8 * H),
    "mingru": (feng_gru, "zn", "", "zn", "", lambda N, H, G: 2 * N * H + 2 * H),
    "minlstm": (feng_lstm, "fin", "", "fin", "", lambda N, H, G: 3 * N * H + 3 * H),
    "sru": (lei_v1, "frch", "", "fr", "", lambda N, H, G: 4 * N * H + 2 * H),
    "qrnn": (bradbury_fo, "fog", "", "fog", "", lambda N, H, G: 3 * N * H + 3 * H),
    "lem": (
        rusch_lem,
        *(["d1", "d2", "z", "y"],) * 3,
        "",
        lambda N, H, G: 4 * G,
    ),
    "cornn": (rusch_cornn, "z", "zy", "z", "", lambda N, H, G: N * H + 2 * H * H + H),
    "sbru": (bittar_sbru, "h", "h", "h", "", lambda N, H, G: G),
    "libru": (bittar_libru, "zn", "zn", "zn", "", lambda N, H, G: 2 * N * H + 2 * H * H + 2 * H),
    "libru_log": (libru_exact_logarithm, "zn", "zn", "zn", "", lambda N, H, G: 2 * N * H + 2 * H * H + 2 * H),
    "libru_code": (libru_as_coded, "zn", "zn", "zn", "", lambda N, H, G: 2 * N * H + 2 * H * H + 2 * H),
    "ubru": (bittar_ubru, "r", "", "r", ["stay", "rise"], lambda N, H, G: N * H + 3 * H),
    "slstm": (beck_2024, "ifzo", "ifzo", "ifzo", "", lambda N, H, G: 4 * (N * H + H * H / 4 + H)),
    "sru2": (lei_v2, "frc", "", "fr", "fr", lambda N, H, G: 3 * N * H + 4 * H),
    "lru": (
        orvieto_2023,
        ["re", "im"],
        ["re", "im"],
        "",
        ["nu", "theta", "gamma", "D"],
        lambda N, H, G: 4 * H * N + 3 * H + N,
    ),
    "rg_lru": (de_2024, "ri", "", "ri", "a", lambda N, H, G: 2 * (H * H / 4 + H) + H),
    "lmu": (
        voelker_2019,
        "h",
        ["h", "A", "m"],
        "",
        ["ex", "eh", "em", "B"],
        lambda N, H, G: N + H + H + N * H + H * H + H * H,
    ),
    # Four modules: H² (1 + 1/4) / 2 of the recurrent weights are there.
    "clockwork": (koutnik_2014, "h", "h", "h", ["period"], lambda N, H, G: N * H + H + H * H * 5 / 8),
    # W_u multiplies Φ, which has H entries: it is one of the two H × H matrices of the paper.
    "minimal_rnn": (chen_2017, "v", "u", "u", "", lambda N, H, G: N * H + 2 * H * H + H),
}

SQUARE = {"sru2", "lru", "rg_lru"}
"""Cells with as many inputs as units."""

POSITIVE = {"sbru", "libru", "libru_log", "libru_code", "ubru", "slstm"}
"""Cells whose states are probabilities, their negative logarithms, or a normaliser: they begin between 0 and 1."""
