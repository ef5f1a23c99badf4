-- The reason of a pause stands in what people did, too; and pages that are open are told that it has changed.

ALTER TABLE actions ADD COLUMN reason text;

CREATE TRIGGER tell_pages_of_changed_pause AFTER UPDATE ON paused_providers
    FOR EACH ROW EXECUTE FUNCTION tell_pages_of_pause();
