-- Workers serve the providers in turn, however many runs each has waiting, and what it costs to take the next run does
-- not depend on how many wait.
--
-- The jobs of a lock that wait are a line, and so are those without a lock of a provider whose runs go on beside each
-- other. Each line has a turn in `queue_turns`. A worker takes the first job of the line with the lowest turn from which
-- one can be taken, and the line gets its next turn then, behind all others. `procrastinate_fetch_job_v2`, which older
-- workers use, goes on beside it: `procrastinate_jobs` alone says what waits and what runs, and its indexes keep each
-- lock to one running job. A line may have a turn too many, or one for nothing, but never none.

ALTER TABLE procrastinate_jobs ADD COLUMN provider text;  -- of a run without a lock

CREATE INDEX waiting_jobs_of_provider ON procrastinate_jobs (provider, priority DESC, id)
    WHERE lock IS NULL AND provider IS NOT NULL AND status = 'todo';
CREATE INDEX running_jobs_of_provider ON procrastinate_jobs (provider)
    WHERE lock IS NULL AND provider IS NOT NULL AND status = 'doing';
CREATE INDEX waiting_chores ON procrastinate_jobs (priority DESC, id)
    WHERE queue_name = 'chores' AND status = 'todo';

CREATE SEQUENCE queue_turn_numbers;

CREATE TABLE queue_turns (
    line        text NOT NULL,  -- the lock of its jobs, or `parallel PROVIDER`
    provider    text,           -- of jobs without a lock
    number      bigint NOT NULL DEFAULT nextval('queue_turn_numbers'),
    not_before  timestamptz NOT NULL DEFAULT '-infinity'  -- until then, no job of the line is due
) WITH (fillfactor = 50);
-- Not unique: giving a line its next turn doesn't change a key then, and disturbs nobody who counts on the row.
CREATE INDEX queue_turns_in_order ON queue_turns (number);
CREATE INDEX queue_turns_of_line ON queue_turns (line);

CREATE FUNCTION note_provider_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.provider := coalesce((SELECT runs.provider FROM runs WHERE id = (NEW.args ->> 'run_id')::uuid), '');
    RETURN NEW;
END;
$$;

-- Give the line of a job that waits a turn, unless it has one that comes in time: then nobody can take that away before
-- this transaction has ended, and its job is seen. Nobody waits for anybody, so a line may get several turns.
CREATE FUNCTION give_turn() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line_of_job text := coalesce(NEW.lock, 'parallel ' || NEW.provider);
    due timestamptz := coalesce(NEW.scheduled_at, '-infinity');
BEGIN
    PERFORM 1 FROM queue_turns WHERE line = line_of_job AND not_before <= greatest(due, now())
    LIMIT 1 FOR KEY SHARE SKIP LOCKED;
    IF NOT FOUND THEN
        INSERT INTO queue_turns (line, provider, not_before)
        VALUES (line_of_job, CASE WHEN NEW.lock IS NULL THEN NEW.provider END, due);
    END IF;
    RETURN NULL;
END;
$$;

-- The first job of a line that waits, by Procrastinate's order. A job that is scheduled for later has the lower priority
-- the later that is: see `app.queue.jobs`.
CREATE FUNCTION first_of_line(turn queue_turns, OUT id bigint, OUT due timestamptz) LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF turn.provider IS NULL THEN
        -- said in a way that leaves nothing but the index on the lock: the one on the priority alone leads through all
        SELECT job.id, coalesce(job.scheduled_at, '-infinity') INTO id, due FROM procrastinate_jobs AS job
        WHERE job.lock = turn.line AND job.status IN ('todo', 'doing') AND job.status <> 'doing'
        ORDER BY job.priority DESC, job.id LIMIT 1;
    ELSE
        SELECT job.id, to_timestamp(job.priority * -10.0) INTO id, due FROM procrastinate_jobs AS job
        WHERE job.lock IS NULL AND job.provider = turn.provider AND job.status = 'todo'
        ORDER BY job.provider, job.priority DESC, job.id LIMIT 1;
    END IF;
END;
$$;

-- Take a run, as `procrastinate_fetch_job_v2` does, for the line whose turn it is. `limits` has the number of runs that
-- go on at once, for providers whose runs have no lock. Nothing here waits for another transaction, and all is found by
-- an index, also by a plan that is kept from when the tables were small.
CREATE FUNCTION fetch_run(worker bigint, limits jsonb) RETURNS procrastinate_jobs LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    turn queue_turns;
    first record;
    taken procrastinate_jobs;
    is_held boolean;
    is_passed boolean := false;  -- whether another worker had the turn of a line that may have more than one job to take
    free bigint[];
BEGIN
    FOR is_second_look IN 0..1 LOOP
        FOR turn IN
            SELECT * FROM queue_turns WHERE not_before <= now()
                -- no lock is called like the line of a provider without one
                AND (SELECT id FROM procrastinate_jobs WHERE lock = line AND status = 'doing') IS NULL
            ORDER BY number
        LOOP
            IF limits ? turn.provider THEN
                IF NOT pg_try_advisory_xact_lock(1885430644, hashtext(turn.line)) THEN
                    is_passed := true;
                    CONTINUE;
                END IF;
                CONTINUE WHEN (limits -> turn.provider)::bigint <= (
                    SELECT count(*) FROM procrastinate_jobs
                    WHERE lock IS NULL AND provider = turn.provider AND status = 'doing');
            END IF;
            PERFORM 1 FROM queue_turns WHERE line = turn.line AND number = turn.number FOR NO KEY UPDATE SKIP LOCKED;
            is_held := FOUND;
            IF NOT is_held THEN
                is_passed := is_passed OR turn.provider IS NOT NULL;
                CONTINUE WHEN turn.provider IS NULL OR is_second_look = 0;
            END IF;
            first := first_of_line(turn);
            IF first.due <= now() THEN
                IF turn.provider IS NULL THEN
                    SELECT * INTO taken FROM procrastinate_jobs
                    WHERE id = first.id AND status = 'todo' FOR UPDATE SKIP LOCKED;
                ELSE
                    SELECT * INTO taken FROM procrastinate_jobs
                    WHERE lock IS NULL AND provider = turn.provider AND status = 'todo'
                        AND priority >= floor(extract(epoch FROM now()) / -10)::integer  -- those below are due later
                        AND (scheduled_at IS NULL OR scheduled_at <= now())
                    ORDER BY provider, priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED;
                END IF;
                CONTINUE WHEN taken.id IS NULL;
                BEGIN
                    UPDATE procrastinate_jobs SET status = 'doing', worker_id = worker WHERE id = taken.id
                    RETURNING * INTO taken;
                EXCEPTION WHEN unique_violation THEN  -- an older worker has taken another job of this lock just now
                    taken := NULL;
                    CONTINUE;
                END;
            END IF;
            -- From here on the line's turns change. One that a transaction counts on which has not ended stays.
            IF is_held THEN
                SELECT array_agg(number) INTO free
                FROM (SELECT number FROM queue_turns WHERE line = turn.line FOR UPDATE SKIP LOCKED) AS found;
                first := first_of_line(turn);  -- of what is there now
                DELETE FROM queue_turns
                WHERE line = turn.line AND number = ANY(free) AND (first.id IS NULL OR number <> turn.number);
                UPDATE queue_turns
                SET number = CASE WHEN taken.id IS NULL THEN number ELSE nextval('queue_turn_numbers') END,
                    not_before = CASE WHEN number = ANY(free) THEN first.due ELSE not_before END
                WHERE line = turn.line AND number = turn.number
                    AND (taken.id IS NOT NULL OR number = ANY(free) AND not_before < first.due);
            END IF;
            IF taken.id IS NOT NULL THEN
                RETURN taken;
            END IF;
        END LOOP;
        EXIT WHEN NOT is_passed;
    END LOOP;
    RETURN NULL;
END;
$$;

-- Take a short job, as `procrastinate_fetch_job_v2` does, without looking through the runs. Two of the jobs that a worker
-- carries out at once may tell people of changes: results and statuses don't wait for those who hang, however many do.
CREATE FUNCTION fetch_chore(worker bigint) RETURNS procrastinate_jobs LANGUAGE sql AS $$
    UPDATE procrastinate_jobs SET status = 'doing', worker_id = worker
    WHERE id = (
        SELECT id FROM procrastinate_jobs AS job
        WHERE queue_name = 'chores' AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
            AND (task_name NOT IN ('notice-changes', 'send-notification') OR 2 > (
                SELECT count(*) FROM procrastinate_jobs
                WHERE worker_id = worker AND status = 'doing' AND task_name IN ('notice-changes', 'send-notification')))
            AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs AS other
                WHERE other.lock = job.lock AND other.status IN ('todo', 'doing')
                    AND (other.status = 'doing' OR other.priority > job.priority
                         OR other.priority = job.priority AND other.id < job.id))
        ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *
$$;

CREATE TRIGGER note_provider_of_job BEFORE INSERT ON procrastinate_jobs FOR EACH ROW
    WHEN (NEW.queue_name = 'runs' AND NEW.lock IS NULL)
    EXECUTE FUNCTION note_provider_of_job();
CREATE TRIGGER give_turn_to_new_job AFTER INSERT ON procrastinate_jobs FOR EACH ROW
    WHEN (NEW.queue_name = 'runs' AND NEW.status = 'todo')
    EXECUTE FUNCTION give_turn();
CREATE TRIGGER give_turn_to_changed_job AFTER UPDATE OF status, scheduled_at ON procrastinate_jobs FOR EACH ROW
    WHEN (NEW.queue_name = 'runs' AND NEW.status = 'todo'
          AND (OLD.status <> 'todo' OR OLD.scheduled_at IS DISTINCT FROM NEW.scheduled_at))
    EXECUTE FUNCTION give_turn();

-- What waits now; the triggers' locks let nothing in between.
UPDATE procrastinate_jobs SET provider = coalesce((SELECT runs.provider FROM runs WHERE id = (args ->> 'run_id')::uuid), '')
WHERE queue_name = 'runs' AND lock IS NULL AND status IN ('todo', 'doing');
INSERT INTO queue_turns (line, provider)
SELECT coalesce(lock, 'parallel ' || provider), provider FROM procrastinate_jobs
WHERE queue_name = 'runs' AND status = 'todo' GROUP BY lock, provider ORDER BY max(priority) DESC, min(id);

-- Said so that only the index on the lock answers it: a plan that was made for all locks read all jobs that wait, where
-- none of them has this one.
CREATE OR REPLACE FUNCTION wake_for_next_of_lock() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM procrastinate_jobs
    WHERE lock = OLD.lock AND status IN ('todo', 'doing') AND status <> 'doing' ORDER BY priority DESC, id LIMIT 1;
    IF FOUND THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || OLD.queue_name,
                          json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text);
    END IF;
    RETURN NULL;
END;
$$;

-- Nobody reads Procrastinate's events, whose rows each job would make, and take along when it ends.
ALTER TABLE procrastinate_jobs
    DISABLE TRIGGER procrastinate_trigger_status_events_insert_v1,
    DISABLE TRIGGER procrastinate_trigger_status_events_update_v1,
    DISABLE TRIGGER procrastinate_trigger_scheduled_events_v1,
    DISABLE TRIGGER procrastinate_trigger_abort_requested_events_v1;

-- `runs_with_status` serves as well, and an index less makes each dispatch cheaper.
DROP INDEX runs_open;
