-- The trace that a run belongs to: its span as a W3C `traceparent`, then the id of the span that it is below, if any.
-- Null where nothing is traced; what an older process stores is given one by the worker that begins it.

ALTER TABLE runs ADD COLUMN trace text;
