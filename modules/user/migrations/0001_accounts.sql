-- Both SQLite and PostgreSQL read this. Times are milliseconds since 1970, flags are 0 or 1.

-- Where ids come from. An id is never used twice: what names a deleted user names nobody else.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
-- 'round' counts what the module does about once a minute: a clock that all copies share.
INSERT INTO counter (name, last) VALUES ('account', 0), ('session', 0), ('round', 0);

CREATE TABLE account (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name in lower case.
    name_key TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    -- A PHC string.
    password TEXT NOT NULL,
    -- Whether a session of the account is attached to an edge.
    online BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Addresses from which the account's owner signed in: who guesses elsewhere doesn't lock these out.
CREATE TABLE known_address (
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (account, address)
);

-- The edges that report. A count that stands still is an edge that is gone.
CREATE TABLE edge (
    id TEXT PRIMARY KEY,
    reports BIGINT NOT NULL
);

CREATE TABLE session (
    id BIGINT PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    -- SHA-256 of the token, and of the one that it replaced.
    token TEXT NOT NULL UNIQUE,
    previous_token TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The edge that holds the session's connection, if one does, and the round in which it last said so.
    edge TEXT,
    attached_in BIGINT NOT NULL
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_previous_token ON session (previous_token);
CREATE INDEX session_edge ON session (edge, attached_in);
CREATE INDEX session_expires_at ON session (expires_at);

-- Deleted accounts of which another service may still have to learn.
CREATE TABLE departure (
    account BIGINT PRIMARY KEY
);
