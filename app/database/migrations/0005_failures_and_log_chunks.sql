-- Failures are counted apart from attempts, and a run's log is appended to.

ALTER TABLE runs ADD COLUMN failures integer NOT NULL DEFAULT 0;  -- attempts that came to nothing; a worker's end isn't one
UPDATE runs SET failures = attempt WHERE status = 'waiting';

CREATE TABLE run_log_chunks (
    run_id      uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    first_line  integer NOT NULL,  -- lines of an attempt are counted from 0; those between two chunks were left out
    lines       integer NOT NULL,
    text        text NOT NULL,
    PRIMARY KEY (run_id, first_line)
);
COMMENT ON TABLE run_logs IS 'Logs of runs from before run_log_chunks';
