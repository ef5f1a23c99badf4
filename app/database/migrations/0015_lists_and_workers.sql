-- The list of runs by each of its filters, and which process a worker of the queue is.

CREATE INDEX runs_newest_asked_for ON runs (created_at DESC, id DESC) WHERE parent_id IS NULL;
CREATE INDEX runs_of_pair ON runs (provider, consumer, created_at DESC, id DESC);
CREATE INDEX runs_with_reason ON runs (reason, created_at DESC, id DESC) WHERE reason <> 'dispatched';
CREATE INDEX runs_of_branch ON runs (branch) WHERE branch IS NOT NULL;
CREATE INDEX runs_of_provider_branch ON runs (provider_branch) WHERE provider_branch IS NOT NULL;
-- A row of an index has room for about 2,700 bytes, and a version may be longer.
CREATE INDEX runs_of_consumer_version ON runs (left(consumer_version, 255) text_pattern_ops)
    WHERE consumer_version IS NOT NULL;
CREATE INDEX runs_of_provider_version ON runs (left(provider_version, 255) text_pattern_ops)
    WHERE provider_version IS NOT NULL;
CREATE INDEX runs_of_sha ON runs (sha text_pattern_ops) WHERE sha IS NOT NULL;

-- A worker process is registered with Procrastinate once for each queue; what it ends takes its rows here along.
CREATE TABLE worker_processes (
    registration  bigint PRIMARY KEY REFERENCES procrastinate_workers ON DELETE CASCADE,
    name          text NOT NULL,
    version       text NOT NULL,
    concurrency   integer NOT NULL,  -- runs that it carries out at once
    started_at    timestamptz NOT NULL
);
