-- Retention deletes a thirtieth of the history each day, and each run is changed some five times: the large tables are
-- vacuumed and analyzed when a twentieth of their rows has changed, not a fifth, which is days of a large receiver.
-- Pages at the end of such a table are not given back: that locks the table for whoever stores a dispatch, and what comes
-- next needs them anyway. Setting this waits for no statement that changes rows, and keeps none waiting.

ALTER TABLE runs SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = false,
    toast.autovacuum_vacuum_scale_factor = 0.05, toast.vacuum_truncate = false);
ALTER TABLE deliveries SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = false,
    toast.autovacuum_vacuum_scale_factor = 0.05, toast.vacuum_truncate = false);
ALTER TABLE run_log_chunks SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = false,
    toast.autovacuum_vacuum_scale_factor = 0.05, toast.vacuum_truncate = false);
ALTER TABLE run_moments SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = false);
ALTER TABLE commit_statuses SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = false);
