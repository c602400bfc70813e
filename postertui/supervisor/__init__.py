"""The queue and its jobs: a detached process per runs folder, alive while there is work.

The folder is the queue. Every run whose newest milestone is none, `requeue`, or an end called
`interrupted` is work; nothing else says so, and nothing has to be repaired after a crash.

What people want is said by files, so that asking twice is asking once and no process has to
listen at that moment:

    runs/<run>/cancel    the run shall end; whoever holds its lock appends `end` and removes this
    runs/<run>/paused    the run shall wait; one that is trained stops after its epoch
    runs/<run>/priority  a whole number, higher goes earlier
    runs/.paused         no further run is started
    runs/.bell           grows by a byte at each request; the supervisor looks when it has grown
    runs/.settings.json  how many jobs; read at each look
    runs/.supervisor.lock  flock held by the supervisor
    runs/.supervisor.json  what it is doing, for people; never needed for a decision
    runs/.supervisor.log   what it printed

One rule makes it safe: **only who holds a run's lock writes to the run**. A job holds it while it
trains. A queued run is cancelled, retried or given up by taking its lock, reading its events
again, and appending. So of a cancel and a finish that meet, the first to append wins, and the
second sees it.

`requests` is for clients (command line, dashboard), `settle` appends what a job no longer can,
`queue` decides without touching anything, `looking` reads what it decides by, `watching` says when
a silent run is given up, `service` is the process, `backend` the interface behind which jobs run
and `local` this machine's jobs.
"""
