-- A run may verify every pact of a provider that has changed: each has a run of its own then, of which it is the parent.

ALTER TABLE runs
    ALTER COLUMN pact_url DROP NOT NULL,  -- none of a run for every pact
    ADD COLUMN pact_urls text[],          -- those that such a run is for; null for all that the broker asks for
    ADD COLUMN parent_id uuid REFERENCES runs ON DELETE SET NULL,
    ADD COLUMN pending boolean NOT NULL DEFAULT false;  -- whether a failure of the pact doesn't fail its parent

CREATE INDEX runs_of_parent ON runs (parent_id, created_at, id) WHERE parent_id IS NOT NULL;
