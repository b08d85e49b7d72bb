# SPDX-License-Identifier: Apache-2.0
import invar
from sklearn.datasets import load_iris

x, kinds = load_iris(return_X_y=True)
run = invar.pretrain("simclr-table", x, kinds, training={"steps": 300, "batch": 64, "seed": 1})
h = run.embed(x)
print(h.shape, run.probe()["linear"]["top1"], "% of kinds that training did not see, by a linear probe")
