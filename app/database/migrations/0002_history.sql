-- Lists of the API by each of their filters, retention, and what is done once over all workers.

CREATE INDEX runs_with_status ON runs (status, created_at DESC, id DESC);
CREATE INDEX runs_with_outcome ON runs (outcome, created_at DESC, id DESC);
CREATE INDEX runs_of_consumer ON runs (consumer, created_at DESC, id DESC);
CREATE INDEX runs_of_repository ON runs (repository, created_at DESC, id DESC);
CREATE INDEX runs_to_publish ON runs (finished_at) WHERE publishing = 'pending';
CREATE INDEX runs_ended ON runs (finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX deliveries_refused ON deliveries (refusal, received_at DESC, id DESC) WHERE refusal IS NOT NULL;
CREATE INDEX deliveries_of_repository ON deliveries (repository, received_at DESC, id DESC);
CREATE INDEX deliveries_without_run ON deliveries (received_at) WHERE run_id IS NULL;

CREATE TABLE housekeeping (
    name     text PRIMARY KEY,
    last_at  timestamptz NOT NULL   -- when a worker last began it
);
