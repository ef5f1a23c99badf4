-- Who is told of changes of outcome: what was told last of each consumer, provider and branch, and each message.

-- A process of an earlier version stores none of this, and looks at none of it: a change that it makes is seen when the
-- next run ends with another process. No table refers to runs, so that making them waits for nobody.

-- Runs that may have changed an outcome, until somebody has looked; a message is stored in the same transaction.
CREATE TABLE notable_runs (
    run_id    uuid PRIMARY KEY,
    provider  text NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notable_runs_of_provider ON notable_runs (provider, noted_at);

-- How a pact stands by what was told of it. The line is '' for the provider's main branch, and else the branch; the
-- consumer is '' for runs for every pact that came to nothing before any pact was verified.
CREATE TABLE told_outcomes (
    provider          text NOT NULL,
    consumer          text NOT NULL,
    line              text NOT NULL,
    answer            text CHECK (answer IN ('passed', 'failed')),
    run_id            uuid,         -- the run that the answer is of
    asked_at          timestamptz,  -- when that run was asked for: an earlier one changes nothing any more
    consumer_version  text,
    provider_version  text,
    error_since       timestamptz,  -- since when no run has had an answer; null if the last one had
    error_run_id      uuid,
    error             text,
    told_of_error     boolean NOT NULL DEFAULT false,
    changed_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, consumer, line)
) WITH (fillfactor = 70);
CREATE INDEX told_outcomes_unverifiable ON told_outcomes (error_since) WHERE error_since IS NOT NULL AND NOT told_of_error;

-- The newest version of a provider that is checked out, by when each was first seen: a result of an older one, which is
-- deployed, says nothing of the branch.
CREATE TABLE newest_versions (
    provider       text NOT NULL,
    line           text NOT NULL,
    version        text NOT NULL,
    first_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (provider, line)
);

-- The kinds of refusals that were told, and when the last one of the kind came.
CREATE TABLE told_refusals (
    provider  text NOT NULL,
    reason    text NOT NULL,
    last_at   timestamptz NOT NULL,
    PRIMARY KEY (provider, reason)
);

CREATE TABLE notifications (
    id           uuid PRIMARY KEY,
    provider     text NOT NULL,
    target       text NOT NULL,   -- its kind and where its URL is, as in `slack SLACK_URL`
    kind         text NOT NULL,   -- slack, teams, url
    events       text[] NOT NULL,
    content      jsonb NOT NULL,  -- what it says, whatever form the target takes
    result       text NOT NULL DEFAULT 'waiting' CHECK (result IN ('waiting', 'sent', 'refused', 'given-up')),
    attempts     integer NOT NULL DEFAULT 0,
    error        text,            -- of the last attempt
    host         text,            -- that it was sent to
    job_id       bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    retry_at     timestamptz,     -- when the next attempt is due; null before the first one
    finished_at  timestamptz
);
CREATE INDEX notifications_of_provider ON notifications (provider, created_at DESC);
CREATE INDEX notifications_waiting ON notifications (created_at) WHERE result = 'waiting';
CREATE INDEX notifications_by_age ON notifications (created_at);

CREATE TABLE notified_runs (
    run_id           uuid NOT NULL,
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    PRIMARY KEY (run_id, notification_id)
);
CREATE INDEX notified_runs_of_notification ON notified_runs (notification_id);
