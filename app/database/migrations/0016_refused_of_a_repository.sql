-- The refused deliveries of a repository: those of a reason alone, or of a repository alone, may be tens of thousands.

CREATE INDEX deliveries_refused_of_repository ON deliveries (repository, received_at DESC, id DESC)
    WHERE refusal IS NOT NULL;
