-- A month of a large receiver's history. `benchmarks.large_history` executes this, with three tables of its own:
-- size (runs, providers, deliveries, days), form (outcome, interactions, document), form_log (interactions, text).

SELECT setseed(0.42);

-- The first provider has an eighth of all runs and dozens of consumers, the last one a few runs and three consumers.
CREATE TEMP TABLE provider AS
SELECT rank, 'Provider ' || lpad(rank::text, 4, '0') AS name, 'acme/provider-' || lpad(rank::text, 4, '0') AS repository,
    sum(1.0 / rank) OVER (ORDER BY rank)::float8 AS until,
    greatest(2, least(60, round(80 / sqrt(rank))))::int AS consumers
FROM size, generate_series(1, size.providers) AS rank;
ALTER TABLE provider ADD PRIMARY KEY (rank);
ANALYZE provider;

-- One in fifty is for every pact, and has members beside it.
CREATE TEMP TABLE asked AS
SELECT number, id, p.name AS provider, p.repository, p.consumers, at, dice, sha, form,
    number % 50 = 0 AS for_all,
    'Consumer ' || lpad(((p.rank * 37 + floor(power(which, 2) * p.consumers)::int * 101) % 400)::text, 3, '0') AS consumer,
    (ARRAY['main', 'main', 'main', 'develop', 'feature/PAY-' || (number % 900)])[1 + number % 5] AS branch,
    CASE
        WHEN left_over > 500 OR number % 50 = 0 THEN 'finished'
        WHEN left_over <= 12 THEN 'running'
        WHEN left_over <= 400 THEN 'waiting'
        ELSE 'finished'
    END AS status
FROM (
    SELECT number, (size.runs * 9 / 10) - number AS left_over, gen_random_uuid() AS id,
        width_bucket(random() * (SELECT max(until) FROM provider), (SELECT array_agg(until ORDER BY rank) FROM provider)) + 1
            AS rank,
        now() - size.days * interval '1 day' * (1 - (number - random()) * 10 / (size.runs * 9)) AS at,
        random() AS dice, random() AS which, random() AS form, encode(sha256(number::text::bytea), 'hex') AS sha
    FROM size, generate_series(1, size.runs * 9 / 10) AS number
) AS drawn JOIN provider p USING (rank);
ALTER TABLE asked ADD COLUMN outcome text, ADD COLUMN pact_url text, ADD COLUMN interactions integer;
UPDATE asked SET
    sha = left(sha, 40),
    interactions = CASE WHEN form < 0.1 THEN 50 ELSE 5 END,
    outcome = CASE WHEN status <> 'finished' OR dice > 0.985 THEN NULL
        WHEN dice < 0.84 THEN 'passed' WHEN dice < 0.94 THEN 'failed' ELSE 'error' END,
    pact_url = CASE WHEN NOT for_all THEN 'http://broker.example.org/pacts/provider/' || replace(provider, ' ', '%20')
        || '/consumer/' || replace(consumer, ' ', '%20') || '/pact-version/' || md5(number::text)
        || '/metadata/' || md5('of ' || number) END;
-- A provider has one run at a time.
UPDATE asked SET status = 'waiting' WHERE status = 'running' AND number NOT IN (
    SELECT min(number) FROM asked WHERE status = 'running' GROUP BY provider);
ALTER TABLE asked ADD PRIMARY KEY (id);
ANALYZE asked;

INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer, consumer_version, sha, branch,
    status, outcome, error, error_kind, error_output, attempt, failures, retry_at, worker, provider_version,
    provider_branch, interactions, failed_interactions, verification, publishing, publish_attempts, publish_error,
    result_url, created_at, started_at, verified_at, finished_at)
SELECT id, md5(id::text), provider, repository, CASE WHEN for_all THEN 'provider_changed' ELSE 'pact_changed' END,
    CASE number % 50 WHEN 1 THEN 'reconciled' WHEN 2 THEN 'redelivered' ELSE 'dispatched' END,
    pact_url, CASE WHEN NOT for_all THEN consumer END, CASE WHEN ended THEN md5(sha) || left(sha, 8) END,
    sha, branch, CASE WHEN ended AND outcome IS NULL THEN 'cancelled' ELSE status END, outcome,
    error, kind, CASE WHEN kind IS NOT NULL THEN repeat('  at com.example.Provider.start(Provider.java:42)' || E'\n', 20) END,
    CASE WHEN ended THEN 1 + (dice < 0.05)::int ELSE (status = 'running' OR retries)::int END,
    retries::int, CASE WHEN retries THEN now() + form * interval '10 minutes' END,
    CASE WHEN status <> 'waiting' THEN 'worker-' || number % 2 || '/4242' END,
    CASE WHEN ended AND outcome IS NOT NULL THEN sha END, CASE WHEN ended AND outcome IS NOT NULL THEN branch END,
    CASE WHEN ended THEN asked.interactions END, CASE WHEN outcome = 'failed' THEN 2 WHEN outcome = 'passed' THEN 0 END,
    CASE WHEN NOT for_all THEN document || jsonb_build_object('id', id, 'consumer', consumer, 'provider', provider,
        'pact_url', pact_url, 'provider_version', sha, 'provider_branch', branch) END,
    publishing, CASE WHEN publishing = 'none' THEN 0 ELSE 1 END,
    CASE WHEN publishing IN ('refused', 'pending') THEN 'http://broker.example.org answered 503 Service Unavailable' END,
    CASE WHEN publishing = 'published' AND NOT for_all THEN pact_url || '/verification-results/' || number END,
    at, started_at, CASE WHEN outcome IS NOT NULL THEN finished_at END, finished_at
FROM (
    SELECT asked.*, status = 'finished' AS ended, status = 'waiting' AND number % 7 = 0 AS retries,
        CASE WHEN status <> 'waiting' THEN at + interval '1 second' * (0.05 + form * 3) END AS started_at,
        CASE WHEN status = 'finished' THEN at + interval '1 second' * (0.5 + form * 3 + dice * 20) END AS finished_at,
        CASE WHEN outcome = 'error' THEN 'nothing answered at http://127.0.0.1:8080/health within 30 s: is it started?' END
            AS error,
        CASE WHEN outcome = 'error' THEN (ARRAY['provider-not-ready', 'pact-unavailable', 'timed-out', 'provider-died',
            'states-not-set-up'])[1 + number % 5] END AS kind,
        CASE WHEN status <> 'finished' OR outcome IS NULL OR outcome = 'error' THEN 'none'
            WHEN number % 250 = 0 THEN 'refused'
            WHEN (SELECT max(number) FROM asked) - number < 600 AND number % 9 = 0 THEN 'pending'
            ELSE 'published' END AS publishing
    FROM asked
) AS asked LEFT JOIN form USING (outcome, interactions);

INSERT INTO runs (id, parent_id, pending, key, provider, repository, event_type, reason, sha, branch, worker, attempt,
    status, pact_url, outcome, consumer, consumer_version, provider_version, provider_branch, interactions,
    failed_interactions, verification, publishing, publish_attempts, result_url, created_at, started_at, verified_at,
    finished_at)
SELECT gen_random_uuid(), run.id, member = 3, md5(run.id::text || member), run.provider, run.repository, run.event_type,
    run.reason, run.sha, run.branch, run.worker, 1, 'finished', url, form.outcome, consumer.name, md5(consumer.name), run.sha, run.branch,
    form.interactions, CASE WHEN form.outcome = 'failed' THEN 2 ELSE 0 END,
    document || jsonb_build_object('consumer', consumer.name, 'provider', run.provider, 'pact_url', url),
    'published', 1, url || '/verification-results/' || member,
    run.created_at + interval '1 second' * member, run.created_at + interval '1 second' * member,
    run.created_at + interval '1 second' * (member + 1), run.created_at + interval '1 second' * (member + 1)
FROM runs run JOIN provider ON provider.name = run.provider
CROSS JOIN LATERAL generate_series(1, least(provider.consumers, 6)) AS member
CROSS JOIN LATERAL (SELECT 'Consumer ' || lpad(((provider.rank * 37 + member * 101) % 400)::text, 3, '0') AS name) AS consumer
CROSS JOIN LATERAL (SELECT 'http://broker.example.org/pacts/provider/' || replace(run.provider, ' ', '%20') || '/consumer/'
    || replace(consumer.name, ' ', '%20') || '/pact-version/' || md5(run.id::text || member) AS url) AS pact
JOIN form ON form.interactions = 5 AND form.outcome = CASE WHEN member = 3 THEN 'failed' ELSE 'passed' END
WHERE run.pact_url IS NULL AND run.outcome IS NOT NULL;

INSERT INTO run_log_chunks (run_id, first_line, lines, text)
SELECT run.id, chunk * 40, 40, form_log.text
FROM runs run
JOIN form_log ON form_log.interactions = run.interactions, generate_series(0, run.interactions / 25) AS chunk
WHERE run.started_at IS NOT NULL;

INSERT INTO commit_statuses (run_id, repository, sha, context, state, description, target_url, latest, result, attempts,
    error, created_at, finished_at)
SELECT id, repository, sha, 'pact/' || consumer, CASE WHEN NOT latest THEN 'pending' WHEN outcome = 'passed' THEN 'success'
        WHEN outcome = 'failed' THEN 'failure' ELSE 'error' END,
    interactions || ' interactions of ' || consumer, 'https://pacts.example.org/runs/' || id, latest,
    CASE WHEN NOT latest THEN 'superseded' WHEN abs(hashtext(id::text)) % 300 = 0 THEN 'refused' ELSE 'set' END, 1,
    CASE WHEN abs(hashtext(id::text)) % 300 = 0 THEN 'GitHub answered 404 Not Found' END, started_at, finished_at
FROM runs, (VALUES (false), (true)) AS status (latest)
WHERE outcome IS NOT NULL AND consumer IS NOT NULL AND abs(hashtext(repository)) % 10 < 4;

-- The queue: a job for each run that waits or runs, and for each result that is still to be published.
INSERT INTO procrastinate_workers (last_heartbeat) SELECT now() FROM generate_series(1, 4);
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, scheduled_at, worker_id)
SELECT CASE WHEN finished_at IS NULL THEN 'runs' ELSE 'chores' END,
    CASE WHEN finished_at IS NULL THEN 'verify' ELSE 'publish' END,
    CASE WHEN finished_at IS NULL THEN 'provider ' || provider END,
    CASE WHEN finished_at IS NULL THEN jsonb_build_object('run_id', id)
        ELSE jsonb_build_object('run_id', id, 'attempt', attempt) END,
    (CASE WHEN status = 'running' THEN 'doing' ELSE 'todo' END)::procrastinate_job_status,
    CASE WHEN finished_at IS NULL THEN retry_at ELSE now() + interval '1 minute' END,
    CASE WHEN status = 'running' THEN (SELECT min(id) FROM procrastinate_workers) END
FROM runs WHERE status IN ('waiting', 'running') OR publishing = 'pending' ORDER BY created_at;
UPDATE runs SET job_id = job.id FROM procrastinate_jobs job WHERE runs.id = (job.args ->> 'run_id')::uuid;
INSERT INTO queue_turns (line)
SELECT lock FROM procrastinate_jobs WHERE queue_name = 'runs' AND status = 'todo' GROUP BY lock ORDER BY min(id);

-- A delivery for each run that was asked for, others that a waiting run answered, repeats, and a fifth that was refused.
CREATE TEMP TABLE body AS
SELECT id AS run_id, jsonb_build_object('event_type', CASE WHEN for_all THEN 'provider_changed' ELSE 'pact_changed' END,
    'client_payload', jsonb_build_object('pact_url', pact_url, 'sha', sha, 'branch', branch, 'consumer', consumer,
        'provider', provider, 'message', 'Merge pull request #' || number || ' from acme/' || branch || ': ' || md5(sha),
        'consumer_version_branch', branch, 'provider_version_descriptions', repeat('latest from main branch, ', 6))) AS payload
FROM asked;
ALTER TABLE body ADD PRIMARY KEY (run_id);
INSERT INTO deliveries (id, received_at, source, github_id, sender, address, user_agent, repository, event_type, payload,
    status, run_id, coalesced, headers)
SELECT gen_random_uuid(), at - interval '1 second' * which * form * 20,
    CASE WHEN which > 0 THEN 'api' WHEN run.reason = 'reconciled' THEN 'reconcile' WHEN run.reason = 'redelivered'
        THEN 'redelivery' WHEN number % 10 = 0 THEN 'github' ELSE 'api' END,
    CASE WHEN which = 0 AND number % 10 = 0 THEN gen_random_uuid()::text END,
    'broker', '10.0.' || number % 256 || '.7', 'Ruby', asked.repository, run.event_type, payload, 204, run.id, which > 0,
    '{"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Pact Broker v2.120.0", "Content-Length": "512"}'
FROM size, asked JOIN runs run USING (id) JOIN body ON body.run_id = asked.id,
    generate_series(0, CASE WHEN number % 6 = 0 THEN 2 ELSE 1 END) AS which;
INSERT INTO deliveries (id, received_at, source, github_id, sender, address, repository, event_type, status, run_id,
    repeats)
SELECT gen_random_uuid(), received_at + interval '1 minute', 'github', github_id, sender, address, repository, event_type,
    204, run_id, id
FROM deliveries WHERE source = 'github';
INSERT INTO deliveries (id, received_at, source, sender, address, user_agent, repository, event_type, payload, status,
    refusal, detail)
SELECT gen_random_uuid(), now() - random() * size.days * interval '1 day', 'api',
    CASE WHEN status NOT IN (401, 404) OR reason = 'unknown-repository' THEN 'broker' END, '10.1.' || number % 200 || '.9',
    'Ruby', 'acme/' || CASE WHEN reason = 'unknown-repository' THEN 'gone-' ELSE 'provider-' END || lpad((number % 1000)::text, 4, '0'),
    'pact_changed', (SELECT payload FROM body LIMIT 1), status, reason, 'why: ' || reason || ' at ' || number
FROM size, generate_series(1, size.deliveries - (SELECT count(*) FROM deliveries)) AS number
JOIN (VALUES (0, 401, 'bad-token'), (1, 401, 'bad-token'), (2, 404, 'no-token'), (3, 404, 'unknown-repository'),
    (4, 404, 'unknown-repository'), (5, 422, 'invalid'), (6, 422, 'invalid'), (7, 415, 'media-type'), (8, 400, 'not-json'),
    (9, 401, 'bad-signature'), (10, 413, 'too-large'), (11, 422, 'other-event')) AS refusal (kind, status, reason)
    ON refusal.kind = number % 12;

INSERT INTO run_moments (run_id, attempt, name, at, detail)
SELECT id, greatest(attempt, 1), name, started_at + after * interval '1 second', CASE WHEN name = 'started' THEN worker END
FROM runs, (VALUES ('started', 0), ('provider-ready', 0.2)) AS moment (name, after)
WHERE started_at IS NOT NULL AND parent_id IS NULL AND (name = 'started' OR outcome IN ('passed', 'failed'));

-- What the triggers would have noted, which are off: one statement for all is quicker.
INSERT INTO latest_results (provider, consumer, run_id, outcome, created_at, ended_at, answer_id, broken)
SELECT provider, consumer, (array_agg(id ORDER BY created_at DESC))[1],
    (array_agg(outcome ORDER BY created_at DESC))[1], max(created_at),
    (array_agg(ended_at ORDER BY created_at DESC))[1],
    (array_agg(id ORDER BY created_at DESC) FILTER (WHERE outcome <> 'error'))[1],
    coalesce((array_agg(outcome = 'failed' AND NOT pending ORDER BY created_at DESC) FILTER (WHERE outcome <> 'error'))[1],
        false)
FROM (
    SELECT id, provider, CASE WHEN pact_url IS NULL THEN '' ELSE consumer END AS consumer, outcome, pending, created_at,
        coalesce(verified_at, finished_at, now()) AS ended_at
    FROM runs WHERE outcome IS NOT NULL AND (consumer IS NOT NULL OR pact_url IS NULL)
) AS ended
GROUP BY provider, consumer;
INSERT INTO uncounted_deliveries (source, refusal, coalesced, repeated)
SELECT source, refusal, coalesced, repeats IS NOT NULL FROM deliveries;
INSERT INTO uncounted_runs (provider, outcome, milliseconds, publish_retries, ended_at)
SELECT provider, CASE status WHEN 'cancelled' THEN 'cancelled' ELSE outcome END,
    CASE WHEN status = 'finished' AND outcome IS NOT NULL THEN greatest(0,
        extract(epoch FROM coalesce(verified_at, finished_at) - started_at) * 1000)::bigint END,
    greatest(0, publish_attempts - 1), finished_at
FROM runs WHERE status IN ('finished', 'cancelled');
