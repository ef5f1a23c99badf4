-- The end of a job wakes the workers if another one waits for its lock; Procrastinate alone would have them poll.

CREATE FUNCTION wake_for_next_of_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = OLD.lock AND status = 'todo') THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || OLD.queue_name,
                          json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER wake_for_next_of_lock_when_deleted
    AFTER DELETE ON procrastinate_jobs FOR EACH ROW
    WHEN (OLD.status = 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION wake_for_next_of_lock();

CREATE TRIGGER wake_for_next_of_lock_when_ended
    AFTER UPDATE OF status ON procrastinate_jobs FOR EACH ROW
    WHEN (OLD.status = 'doing' AND NEW.status <> 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION wake_for_next_of_lock();

-- For that, and for fetching a job: without it each candidate is compared with all open jobs.
CREATE INDEX open_jobs_of_lock ON procrastinate_jobs (lock, priority DESC, id) WHERE status IN ('todo', 'doing');
