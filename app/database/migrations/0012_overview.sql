-- The overview: the latest results, the outcomes of each hour, and what workers last saw of the broker and of GitHub.

-- One row for a provider and a consumer, so that no page looks for it among all runs. The consumer of a run for every
-- pact is ''. A later run stands in the place of an earlier one, whichever ends first.
CREATE TABLE latest_results (
    provider    text NOT NULL,
    consumer    text NOT NULL,
    run_id      uuid NOT NULL,         -- no reference: retention deletes both by their age
    outcome     text NOT NULL,
    created_at  timestamptz NOT NULL,  -- when the run was asked for
    ended_at    timestamptz NOT NULL,  -- when its outcome was known
    answer_id   uuid,                  -- the latest run that passed or failed: an error doesn't heal a broken contract
    broken      boolean NOT NULL DEFAULT false,  -- whether that one failed, and counts: the pact is not pending
    PRIMARY KEY (provider, consumer)
) WITH (fillfactor = 70);              -- an update finds room beside the row, and leaves the index alone

CREATE FUNCTION note_latest_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO latest_results AS latest (provider, consumer, run_id, outcome, created_at, ended_at, answer_id, broken)
    VALUES (NEW.provider, CASE WHEN NEW.pact_url IS NULL THEN '' ELSE NEW.consumer END, NEW.id, NEW.outcome,
        NEW.created_at, coalesce(NEW.verified_at, NEW.finished_at, now()),
        CASE WHEN NEW.outcome <> 'error' THEN NEW.id END, NEW.outcome = 'failed' AND NOT NEW.pending)
    ON CONFLICT (provider, consumer) DO UPDATE SET run_id = excluded.run_id, outcome = excluded.outcome,
        created_at = excluded.created_at, ended_at = excluded.ended_at,
        answer_id = coalesce(excluded.answer_id, latest.answer_id),
        broken = CASE WHEN excluded.answer_id IS NULL THEN latest.broken ELSE excluded.broken END
    WHERE latest.created_at <= excluded.created_at;
    RETURN NULL;
END;
$$;

-- A row of an index has room for about 2,700 bytes: no run fails since its names are too long for it.
CREATE TRIGGER note_latest_result_of_change AFTER UPDATE ON runs FOR EACH ROW
    WHEN (NEW.outcome IS NOT NULL AND OLD.outcome IS DISTINCT FROM NEW.outcome
          AND NEW.error_kind IS DISTINCT FROM 'superseded' AND (NEW.consumer IS NOT NULL OR NEW.pact_url IS NULL)
          AND length(NEW.provider) + coalesce(length(NEW.consumer), 0) <= 600)
    EXECUTE FUNCTION note_latest_result();
CREATE TRIGGER note_latest_result_of_new AFTER INSERT ON runs FOR EACH ROW
    WHEN (NEW.outcome IS NOT NULL
          AND NEW.error_kind IS DISTINCT FROM 'superseded' AND (NEW.consumer IS NOT NULL OR NEW.pact_url IS NULL)
          AND length(NEW.provider) + coalesce(length(NEW.consumer), 0) <= 600)
    EXECUTE FUNCTION note_latest_result();

INSERT INTO latest_results (provider, consumer, run_id, outcome, created_at, ended_at, answer_id, broken)
SELECT provider, consumer, (array_agg(id ORDER BY created_at DESC))[1],
    (array_agg(outcome ORDER BY created_at DESC))[1], max(created_at),
    (array_agg(ended_at ORDER BY created_at DESC))[1],
    (array_agg(id ORDER BY created_at DESC) FILTER (WHERE outcome <> 'error'))[1],
    coalesce((array_agg(outcome = 'failed' AND NOT pending ORDER BY created_at DESC) FILTER (WHERE outcome <> 'error'))[1],
        false)
FROM (
    SELECT id, provider, CASE WHEN pact_url IS NULL THEN '' ELSE consumer END AS consumer, outcome, pending, created_at,
        coalesce(verified_at, finished_at, now()) AS ended_at
    FROM runs
    WHERE outcome IS NOT NULL AND error_kind IS DISTINCT FROM 'superseded'
      AND (consumer IS NOT NULL OR pact_url IS NULL) AND length(provider) + coalesce(length(consumer), 0) <= 600
) AS ended
GROUP BY provider, consumer;

-- How many runs ended in each hour (of UTC), and how: kept for the month that is shown. What ended since the counters
-- were last added up is in `uncounted_runs`, as ever.
CREATE TABLE hourly_outcomes (
    hour     timestamptz NOT NULL,
    outcome  text NOT NULL,
    runs     bigint NOT NULL,
    PRIMARY KEY (hour, outcome)
);

ALTER TABLE uncounted_runs ADD COLUMN ended_at timestamptz;  -- null of those that are in hourly_outcomes from the start

CREATE OR REPLACE FUNCTION count_ended_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status IN ('finished', 'cancelled') THEN
        INSERT INTO uncounted_runs VALUES (NEW.provider, NULL, NULL,
            greatest(0, NEW.publish_attempts - 1) - greatest(0, OLD.publish_attempts - 1));
    ELSE
        INSERT INTO uncounted_runs VALUES (NEW.provider,
            CASE NEW.status WHEN 'cancelled' THEN 'cancelled' ELSE coalesce(NEW.outcome, 'relayed') END,
            CASE WHEN NEW.status = 'finished' AND NEW.outcome IS NOT NULL THEN greatest(0,
                extract(epoch FROM coalesce(NEW.verified_at, NEW.finished_at) - NEW.started_at) * 1000)::bigint
            END,
            greatest(0, NEW.publish_attempts - 1), coalesce(NEW.finished_at, now()));
    END IF;
    RETURN NULL;
END;
$$;

INSERT INTO hourly_outcomes (hour, outcome, runs)
SELECT date_trunc('hour', finished_at, 'UTC'),
    CASE status WHEN 'cancelled' THEN 'cancelled' ELSE coalesce(outcome, 'relayed') END, count(*)
FROM runs WHERE status IN ('finished', 'cancelled') AND finished_at > now() - interval '31 days'
GROUP BY 1, 2;

-- What the workers last saw of others, so that no page has to ask them.
CREATE TABLE sightings (
    name    text PRIMARY KEY,  -- broker, github-token
    at      timestamptz NOT NULL DEFAULT now(),
    found   jsonb NOT NULL
);

CREATE INDEX runs_after_error ON runs (retry_at) WHERE status = 'waiting' AND error_kind IS NOT NULL;
CREATE INDEX runs_not_taken ON runs (finished_at DESC) WHERE publishing = 'refused';
CREATE INDEX commit_statuses_failed ON commit_statuses (finished_at DESC) WHERE result IN ('refused', 'given-up');
