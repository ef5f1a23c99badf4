-- What a commit's status says of a run, without reading its verification.

ALTER TABLE runs ADD COLUMN failed_interactions integer;

-- Runs that ended have their status already.
UPDATE runs SET failed_interactions =
    jsonb_array_length(jsonb_path_query_array(verification, '$.interactions[*] ? (@.outcome == "failed")'))
WHERE outcome = 'failed' AND (status = 'running' OR publishing = 'pending');
