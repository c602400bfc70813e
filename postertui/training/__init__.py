"""Training: the only place that imports TensorFlow, Keras or JAX, reached as a subprocess.

Read `loop` first: it is the whole of what happens to a network in an epoch. `objective`, `adam`,
`epoch_schedule`, `learning_rate` and `metrics` are its parts, `networks` builds the models,
`features` computes the outputs of a frozen backbone, and `trainer` puts them together for a run.
"""

from postertui.training.environment import prepare

prepare()
