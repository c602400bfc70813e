"""Training: the only place that imports TensorFlow, Keras or JAX, reached as a subprocess.

Read `loop` first: it is the whole of what happens to a network in an epoch. `objective`, `adam`,
`schedule` and `metrics` are its parts, `networks` the things it trains, `features` what the frozen
part of VGG16 makes of the posters, and `trainer` puts them together for one run.
"""

from postertui.training.environment import prepare

prepare()
