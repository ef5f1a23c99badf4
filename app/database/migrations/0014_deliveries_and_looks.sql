-- What the pages of deliveries and of providers show: the heads of requests, refusals as they were answered, and what
-- the broker said of a provider when somebody had a worker look.

ALTER TABLE deliveries
    ADD COLUMN headers jsonb,  -- those of the request that say what it is, without secrets
    ADD COLUMN answer jsonb;   -- the body of a refusal

CREATE INDEX deliveries_of_sender ON deliveries (sender, received_at DESC, id DESC);
CREATE INDEX deliveries_of_source ON deliveries (source, received_at DESC, id DESC);
CREATE INDEX deliveries_not_accepted ON deliveries (received_at DESC, id DESC) WHERE refusal IS NOT NULL;

CREATE INDEX actions_of_delivery ON actions (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX actions_of_outcome ON actions (outcome_id) WHERE outcome_id IS NOT NULL;

CREATE TABLE provider_looks (
    provider     text PRIMARY KEY,
    asked_at     timestamptz NOT NULL DEFAULT now(),
    asked_by     text NOT NULL,
    queues       boolean NOT NULL,  -- whether what lacks a result is queued as well
    answered_at  timestamptz,       -- when the answer below was made; it may be that of an earlier look
    answer       jsonb
);

CREATE FUNCTION tell_pages_of_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pact_dispatch_pages', 'provider - ' || left(NEW.provider, 500));
    RETURN NULL;
END;
$$;

CREATE TRIGGER tell_pages_of_look AFTER INSERT OR UPDATE ON provider_looks
    FOR EACH ROW EXECUTE FUNCTION tell_pages_of_look();
