"""Weights of a small PyTorch network as a safetensors file, and what the network gives for two rows: prints JSON, and writes the file.

    python tests/python/make_weights_fixture.py FILE > JSON
"""

import json
import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(4)
net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3))
net(torch.randn(32, 4))  # running statistics that are not those of the beginning
net.eval()
state = {name: tensor for name, tensor in net.state_dict().items() if name != "2.num_batches_tracked"}
state["4.weight"] = torch.zeros(2, 2)  # of a layer that the other network does not have
save_file(state, sys.argv[1], metadata={"format": "pt"})
rows = torch.tensor([[0.5, -1.0, 2.0, 0.25], [-0.75, 0.0, 1.5, -2.0]])
print(json.dumps({"rows": rows.flatten().tolist(), "outputs": net(rows).flatten().tolist()}))
