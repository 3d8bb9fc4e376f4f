"""The coupled oscillatory network: damped oscillators, driven by the input and by each other."""

from gatework.graph import U, W, b, cell, tanh


@cell(source="Rusch & Mishra 2021, arXiv:2010.00951")
def cornn(x, y, z, *, dt=0.042, gamma=2.7, epsilon=4.7):
    """Coupled oscillatory recurrent network."""
    z = z + dt * (tanh(W.z @ x + U.z @ z + U.y @ y + b.z) - gamma * y - epsilon * z)
    y = y + dt * z
    return y, z
