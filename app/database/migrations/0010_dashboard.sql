-- The dashboard: who did what, what keys sign, which providers are paused, and notifications of what has changed.

CREATE TABLE actions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    who          text NOT NULL,  -- the name of the token, or the user that a proxy named
    action       text NOT NULL,  -- cancel, run-again, publish-again, redeliver, pause, resume, reconcile
    via          text NOT NULL,  -- dashboard, api
    address      text,
    provider     text,
    run_id       uuid,           -- no references: what was done is kept as long as retention says, whatever it was done to
    delivery_id  uuid,
    outcome_id   uuid            -- the run or the delivery that it led to
);
CREATE INDEX actions_newest ON actions (at DESC, id DESC);
CREATE INDEX actions_of_run ON actions (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE signing_keys (
    name   text PRIMARY KEY,
    value  bytea NOT NULL
);
-- Two random UUIDs have 244 random bits.
INSERT INTO signing_keys (name, value)
VALUES ('dashboard', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE paused_providers (
    provider   text PRIMARY KEY,
    paused_at  timestamptz NOT NULL DEFAULT now(),
    paused_by  text NOT NULL
);

-- What open pages show has changed: `run ID PROVIDER`, `log ID` or `delivery RUN` (- where there is none).
CREATE FUNCTION tell_pages_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pact_dispatch_pages', 'run ' || NEW.id || ' ' || left(NEW.provider, 500));
    RETURN NULL;
END;
$$;

CREATE FUNCTION tell_pages_of_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pact_dispatch_pages', 'log ' || NEW.run_id);
    RETURN NULL;
END;
$$;

CREATE FUNCTION tell_pages_of_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pact_dispatch_pages', 'delivery ' || coalesce(NEW.run_id::text, '-'));
    RETURN NULL;
END;
$$;

CREATE FUNCTION tell_pages_of_pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pact_dispatch_pages', 'provider - ' || left(coalesce(NEW.provider, OLD.provider), 500));
    RETURN NULL;
END;
$$;

CREATE TRIGGER tell_pages_of_new_run AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION tell_pages_of_run();
CREATE TRIGGER tell_pages_of_changed_run AFTER UPDATE ON runs FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.outcome IS DISTINCT FROM NEW.outcome OR OLD.publishing <> NEW.publishing
          OR OLD.attempt <> NEW.attempt OR OLD.retry_at IS DISTINCT FROM NEW.retry_at
          OR OLD.publish_attempts <> NEW.publish_attempts OR OLD.cancel_requested <> NEW.cancel_requested
          OR OLD.sha IS DISTINCT FROM NEW.sha)
    EXECUTE FUNCTION tell_pages_of_run();
CREATE TRIGGER tell_pages_of_log AFTER INSERT ON run_log_chunks FOR EACH ROW EXECUTE FUNCTION tell_pages_of_log();
CREATE TRIGGER tell_pages_of_delivery AFTER INSERT ON deliveries
    FOR EACH ROW EXECUTE FUNCTION tell_pages_of_delivery();
CREATE TRIGGER tell_pages_of_pause AFTER INSERT OR DELETE ON paused_providers
    FOR EACH ROW EXECUTE FUNCTION tell_pages_of_pause();
