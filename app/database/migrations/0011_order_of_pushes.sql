-- GitHub delivers pushes in no order that it promises: which of those of a branch is the newest one.

ALTER TABLE runs
    ADD COLUMN pushed_at timestamptz,  -- when the latest push that the run is for was made; null if none was
    ADD COLUMN pushed_before text;     -- the commit that the branch had before it

CREATE INDEX runs_pushed ON runs (provider, branch, pushed_at DESC, created_at DESC) WHERE pushed_at IS NOT NULL;
