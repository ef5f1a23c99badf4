-- The processes of the receiver on all machines, with the configuration that each of them goes by.

CREATE TABLE receiver_processes (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heard_at timestamptz NOT NULL DEFAULT now(),
    configuration text,
    configured_at timestamptz NOT NULL DEFAULT now(),
    restart text[] NOT NULL DEFAULT '{}',
    refused text
);
