-- What is said to GitHub: statuses of commits, and dispatches that are passed on.

CREATE TABLE commit_statuses (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the order in which they were wanted
    run_id       uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    repository   text NOT NULL,
    sha          text NOT NULL,
    context      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error')),
    description  text NOT NULL,
    target_url   text,
    latest       boolean NOT NULL DEFAULT true,                    -- of its run
    result       text NOT NULL DEFAULT 'waiting'
                 CHECK (result IN ('waiting', 'set', 'superseded', 'refused', 'given-up')),
    attempts     integer NOT NULL DEFAULT 0,
    error        text,                                             -- of the last attempt
    job_id       bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX commit_statuses_of_run ON commit_statuses (run_id, id);
CREATE INDEX commit_statuses_of_commit ON commit_statuses (repository, sha, context, id);
CREATE INDEX commit_statuses_open ON commit_statuses (id) WHERE result = 'waiting';
CREATE INDEX commit_statuses_pending ON commit_statuses (run_id) WHERE latest AND state = 'pending';

-- A run that passes its dispatch on has a row here instead of a verification.
CREATE TABLE relays (
    run_id          uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    client_payload  json NOT NULL,  -- as it came: json keeps the order and the numbers, jsonb doesn't
    repository      text,           -- that it was passed on to
    event_type      text,           -- as which it was passed on
    request_id      text,           -- GitHub's, of the request that did it
    relayed_at      timestamptz
);
