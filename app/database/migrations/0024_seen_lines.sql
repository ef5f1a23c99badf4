-- When a run of a pact or a branch was last seen in the history: what is known of one without any ends a year later.

ALTER TABLE told_outcomes ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE newest_versions ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
