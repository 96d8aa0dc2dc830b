"""Train a network of imgcolor in a plain torch loop, without Lightning.

python examples/plain_torch.py
"""

import torch
import torch.nn.functional as F

from imgcolor.data.sources.drawn_horses import draw_horses
from imgcolor.networks import ResidualUNet

if __name__ == "__main__":
    colour = draw_horses(100, 32, 0).float() / 255  # any float images [N, 3, H, W] in [0, 1]
    grey = colour.mean(dim=1, keepdim=True)
    network = ResidualUNet(out_channels=3, hidden_channels=(8, 16), luminance="mean")
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003)
    for epoch in range(3):
        for batch in torch.randperm(len(colour)).split(20):
            loss = F.mse_loss(network(grey[batch]), colour[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
