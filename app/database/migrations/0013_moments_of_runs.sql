-- What happened when in each attempt of a run, beside what the run's own columns say.

CREATE TABLE run_moments (
    run_id   uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    attempt  integer NOT NULL,
    name     text NOT NULL,  -- started, checked-out, provider-ready, ended
    at       timestamptz NOT NULL,
    detail   text,           -- of started the worker, of ended why there was no outcome; null if it was handed back
    PRIMARY KEY (run_id, attempt, name)
);

CREATE FUNCTION note_attempt_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt <> OLD.attempt THEN
        INSERT INTO run_moments VALUES (NEW.id, NEW.attempt, 'started', now(), NEW.worker) ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO run_moments VALUES (NEW.id, NEW.attempt, 'ended', now(), NEW.error) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER note_attempt_of_run AFTER UPDATE ON runs FOR EACH ROW
    WHEN (OLD.attempt <> NEW.attempt OR OLD.status = 'running' AND NEW.status = 'waiting')
    EXECUTE FUNCTION note_attempt_of_run();
