-- What was asked for, what became of it.

CREATE TABLE runs (
    id                uuid PRIMARY KEY,
    key               text NOT NULL,               -- the same for dispatches that one run can answer
    provider          text NOT NULL,
    repository        text NOT NULL,
    event_type        text NOT NULL,
    reason            text NOT NULL,               -- dispatched, redelivered, reconciled
    pact_url          text NOT NULL,
    consumer          text,
    consumer_version  text,
    sha               text,                        -- the commit asked for
    branch            text,
    status            text NOT NULL CHECK (status IN ('waiting', 'running', 'finished', 'cancelled')),
    outcome           text CHECK (outcome IN ('passed', 'failed', 'error')),
    error             text,
    error_kind        text,
    error_output      text,
    attempt           integer NOT NULL DEFAULT 0,  -- the latest one alone may write and publish
    job_id            bigint,                      -- the queue's job that carries it out
    retry_at          timestamptz,
    cancel_requested  boolean NOT NULL DEFAULT false,
    worker            text,
    provider_version  text,
    provider_branch   text,
    interactions      integer,
    verification      jsonb,                       -- the verifier's saved form
    publishing        text NOT NULL DEFAULT 'none' CHECK (publishing IN ('none', 'pending', 'published', 'refused')),
    publish_attempts  integer NOT NULL DEFAULT 0,
    publish_error     text,
    result_url        text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    verified_at       timestamptz,
    finished_at       timestamptz
);
CREATE UNIQUE INDEX runs_waiting ON runs (key) WHERE status = 'waiting';
CREATE INDEX runs_newest ON runs (created_at DESC, id DESC);
CREATE INDEX runs_open ON runs (status) WHERE status IN ('waiting', 'running');
CREATE INDEX runs_of_provider ON runs (provider, created_at DESC);
CREATE INDEX runs_of_pact ON runs (pact_url, created_at DESC);

CREATE TABLE run_logs (
    run_id   uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    text     text NOT NULL
);

CREATE TABLE deliveries (
    id           uuid PRIMARY KEY,
    received_at  timestamptz NOT NULL DEFAULT now(),
    source       text NOT NULL,          -- api (as GitHub's API takes it), github (as GitHub delivers it), redelivery, reconcile
    github_id    text,                   -- X-GitHub-Delivery, where GitHub delivered it
    sender       text,                   -- the name of the token
    address      text,
    repository   text,
    event_type   text,
    payload      jsonb,                  -- redacted
    status       integer NOT NULL,       -- the HTTP status of the answer
    refusal      text,                   -- why it was refused, in a word; null if it was accepted
    detail       text,
    run_id       uuid REFERENCES runs ON DELETE SET NULL,
    coalesced    boolean NOT NULL DEFAULT false  -- answered by a run that was waiting already
);
CREATE INDEX deliveries_newest ON deliveries (received_at DESC, id DESC);
CREATE INDEX deliveries_of_run ON deliveries (run_id);

-- Sums of what retention has deleted, so that counters never go back.
CREATE TABLE totals (
    name    text NOT NULL,
    labels  jsonb NOT NULL,
    value   double precision NOT NULL,
    PRIMARY KEY (name, labels)
);
