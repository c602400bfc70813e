"""The queue and its jobs: a detached process per runs folder, alive while there is work.

The folder is the queue. Every run without a milestone, or whose newest is `requeue` or an end with
the status `interrupted`, is work; nothing else decides that, and nothing has to be repaired after
a crash.

Requests are files, so that repeating one changes nothing and no process has to listen at that
moment (`postertui.runs.layout` has every name):

    runs/<run>/cancel    the run is to end; the holder of its lock appends `end` and removes this
    runs/<run>/paused    the run is to wait; one that is being trained stops after its epoch
    runs/<run>/priority  a whole number, higher goes earlier
    runs/.paused         no further run is started
    runs/.bell           the change counter: grows by a byte with each request
    runs/.settings.json  how many jobs; read at each scan
    runs/.supervisor.lock  flock held by the supervisor
    runs/.supervisor.json  what it is doing, for display; never needed for a decision
    runs/.supervisor.log   what it printed

One rule makes it safe: **only the holder of a run's lock writes to the run**. A job holds it while
it trains. A queued run is cancelled, retried or given up by taking its lock, reading its events
again, and appending. So when a cancel and a finish meet, the first to append wins, and the second
sees it.

- `requests`: for clients (command line, dashboard); those for runs are in `run_requests`
- `plan`: which runs a study asks for; `chosen_variants`, `chosen_genres`, `cohort_roles` and
  `backbone_weights` choose its parts
- `service`: the loop of the process, with `supervised_runs` (where each run stands) and
  `status_file` (what it shows of itself)
- `queue`, `decisions`, `stall`: the order, what follows from a report, when a silent run is given
  up, all decided without input or output
- `probe`: what is read from a run's folder
- `lost_runs`: the end that a lost job could not write
- `hindrance`: what runs wait for instead of failing: room on the disk, a job that can be started
- `log`: what the supervisor prints
- `folder`: the files of the runs folder that belong to no single run
- `units`: runs that are trained together
- `starting`, `unattended`: a supervisor's start, and why none is at work
- `trust`, `known_clusters`: what the user lets be executed and connected to
- `remaining`, `durations`, `run_progress`: how long runs still take
- `backends`: the interface behind which jobs run, this machine's and a cluster's
"""
