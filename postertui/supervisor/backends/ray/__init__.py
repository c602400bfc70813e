"""The second way to run jobs: on several machines, through Ray.

    supervisor ── RayJobs ──(Jobs API: start it)──▶ driver, one Ray job per study, on the head
        │            └───────(one connection)──────▶   │
        ▼                                              ├── a Ray task ── agent ── job   on a node
    runs/<run>/events.jsonl                            └── a Ray task ── agent ── job   on a node

Ray schedules: tasks that hold a CPU or a share of a GPU. What a task does is to start an agent, a
plain process that asks the driver for runs, trains them with the same job program as on one
machine, and passes on each line of events once it is on the node's disk. The driver keeps what it
was told until the collecting side has it; the collecting side alone writes in `runs/`.

A line of events is never changed on its way, and (attempt, seq) only grows within a run. So
whoever has two versions of a history knows which continues the other, and a line that arrives
twice is recognised and dropped. Of a run that is trained again elsewhere, what the first node
still has is dropped too: the same epochs come again, bit by bit.

`protocol` and `link` are the messages and how they travel, `hub` and `roster` decide for the
driver without touching anything, `driver`, `pool`, `depot` and `task` are what Ray runs, `agent`
and `seed` work on a node, `data` brings posters and features there, `backend`, `connection` and
`collector` are the supervisor's side, `address`, `jobs_api` and `checks` find a cluster and say
what is wrong with it.
"""
