-- A delivery of GitHub's is carried out once, who sent a request is kept, and no text is too long for an index.

ALTER TABLE deliveries
    ADD COLUMN user_agent text,
    ADD COLUMN repeats uuid;  -- the accepted delivery that this one repeats: nothing was done for this one

-- Those that were carried out several times until now count once.
UPDATE deliveries AS later SET repeats = first.id
FROM (
    SELECT DISTINCT ON (left(github_id, 100)) id, left(github_id, 100) AS github_id FROM deliveries
    WHERE source = 'github' AND github_id IS NOT NULL AND refusal IS NULL
    ORDER BY left(github_id, 100), received_at, id
) AS first
WHERE later.source = 'github' AND later.refusal IS NULL AND left(later.github_id, 100) = first.github_id
  AND later.id <> first.id;

CREATE UNIQUE INDEX deliveries_once ON deliveries (left(github_id, 100))
    WHERE source = 'github' AND github_id IS NOT NULL AND refusal IS NULL AND repeats IS NULL;

ALTER TABLE uncounted_deliveries ADD COLUMN repeated boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION count_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncounted_deliveries VALUES (NEW.source, NEW.refusal, NEW.coalesced, NEW.repeats IS NOT NULL);
    RETURN NULL;
END;
$$;

-- A row of an index has room for about 2,700 bytes, and a pact's URL may be longer.
DROP INDEX runs_of_pact;
CREATE INDEX runs_of_pact ON runs (left(pact_url, 500), created_at DESC, id DESC);

-- What was passed on is kept without what may be a secret, as deliveries are.
ALTER TABLE relays ADD COLUMN redacted boolean NOT NULL DEFAULT false;  -- whether anything of it is missing now
UPDATE relays SET client_payload = (delivery.payload -> 'client_payload')::json,
    redacted = strpos((delivery.payload -> 'client_payload')::text, '**********') > 0
               OR length((delivery.payload -> 'client_payload')::text) >= 8000
FROM deliveries AS delivery
WHERE delivery.run_id = relays.run_id AND NOT delivery.coalesced AND relays.relayed_at IS NOT NULL
  AND delivery.payload ? 'client_payload';
