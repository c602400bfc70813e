"""The second way to train runs: on several machines, through Ray.

    supervisor ── RayJobs ──(Jobs API: start it)──▶ driver, one Ray job per study, on the head
        │            └───────(one connection)──────▶   │
        ▼                                              ├── a Ray task ── agent ── job   on a node
    runs/<run>/events.jsonl                            └── a Ray task ── agent ── job   on a node

Ray schedules tasks that hold a CPU or a share of a GPU. A task starts an agent, a plain process
that gets runs from the driver, trains them with the same job program as on one machine, and sends
each event line once it is on the node's disk. The driver keeps what it received until the client
has it; only the client writes in `runs/`.

An event line is never changed on its way, and (attempt, seq) only grows within a run. So of two
versions of a history it is known which one extends the other, and a line that arrives twice is
dropped. If a run is trained again on another node, what the first node still has is dropped too:
the same epochs come again, bit by bit.

=====================  =============================================================
both sides             `messages` (of which `client_messages` and `agent_messages` end at the
                       driver, `run_messages` and `file_messages` go through it),
                       `event_lines`, `link` (connections), `bundles` (data)
supervisor (client)    `backend`, `client_requests`, `collector`, `submission`,
                       `study_drivers`, `driver_connection`
finding a cluster      `address`, `jobs_api`, `checks`
driver on the head     `driver`, `driver_server`, `scheduler` (decides, without input or
                       output) with `scheduler_state`, `run_assignment`, `waiting_runs` and
                       `full_nodes`, `agent_pool`, `gpu_shares`, `head_storage`
node                   `ray_tasks`, `agent`, `run_upload`, `node_folder`, `node_facts`,
                       `node_processes`
=====================  =============================================================
"""
