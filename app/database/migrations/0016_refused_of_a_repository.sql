-- The refused deliveries of a repository: those of a reason alone, or of a repository alone, may be tens of thousands.

CREATE INDEX deliveries_refused_of_repository ON deliveries (repository, received_at DESC, id DESC)
    WHERE refusal IS NOT NULL;

-- The indexes of 0015 on the beginnings of versions have no statistics until the table is analyzed, and autovacuum does
-- that once a tenth of a large history has changed.
ANALYZE runs;
