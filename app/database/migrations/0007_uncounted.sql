-- What the counters have still to count, so that a scrape reads neither all deliveries nor all runs. The triggers only
-- insert: no request waits for another one's counter. Now and then the rows are added up in `totals` and deleted.

CREATE TABLE uncounted_deliveries (
    source     text NOT NULL,
    refusal    text,
    coalesced  boolean NOT NULL
);

CREATE TABLE uncounted_runs (
    provider         text NOT NULL,
    outcome          text,             -- cancelled and relayed among them; null if the run was counted when it ended
    milliseconds     bigint,           -- from the start of the first attempt until the outcome was known
    publish_retries  integer NOT NULL  -- attempts to publish beyond the first, as far as they are not counted yet
);

CREATE FUNCTION count_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncounted_deliveries VALUES (NEW.source, NEW.refusal, NEW.coalesced);
    RETURN NULL;
END;
$$;

CREATE FUNCTION count_ended_run() RETURNS trigger LANGUAGE plpgsql AS $$
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
            greatest(0, NEW.publish_attempts - 1));
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER count_delivery AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION count_delivery();

CREATE TRIGGER count_run_that_ended AFTER UPDATE ON runs FOR EACH ROW
    WHEN (NEW.status IN ('finished', 'cancelled')
          AND (OLD.status IN ('waiting', 'running') OR NEW.publish_attempts <> OLD.publish_attempts))
    EXECUTE FUNCTION count_ended_run();

CREATE TRIGGER count_run_that_has_ended AFTER INSERT ON runs FOR EACH ROW
    WHEN (NEW.status IN ('finished', 'cancelled'))
    EXECUTE FUNCTION count_ended_run();

-- Until now, `totals` had what was deleted alone. The triggers' locks let nothing in between.
INSERT INTO uncounted_deliveries SELECT source, refusal, coalesced FROM deliveries;
INSERT INTO uncounted_runs
SELECT provider,
    CASE status WHEN 'cancelled' THEN 'cancelled' ELSE coalesce(outcome, 'relayed') END,
    CASE WHEN status = 'finished' AND outcome IS NOT NULL THEN greatest(0,
        extract(epoch FROM coalesce(verified_at, finished_at) - started_at) * 1000)::bigint
    END,
    greatest(0, publish_attempts - 1)
FROM runs WHERE status IN ('finished', 'cancelled');
