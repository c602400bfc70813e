"""Training: reached as a subprocess, the only place that imports TensorFlow or JAX.

Keras is imported here and, for scripts of the user's, in `postertui.keras`.

Read `loop` first: it is the whole of what happens to a network in an epoch. `objective`, `adam`,
`epoch_schedule`, `learning_rate` and `metrics` are its parts, `networks` builds the models,
`features` computes the outputs of a frozen backbone, and `trainer` puts them together for a run.
"""

from postertui.training.environment import prepare

prepare()
