-- One statement text for SQLite and PostgreSQL.

-- A conversation exists once its two people (or its group) may write; `open` says whether they still may, as of
-- `gate_version` of whoever decides that.
CREATE TABLE conversation (
    id TEXT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    open BIGINT NOT NULL,
    gate_version BIGINT NOT NULL
);

CREATE TABLE member (
    user_id BIGINT NOT NULL,
    conversation TEXT NOT NULL,
    read_seq BIGINT NOT NULL,
    PRIMARY KEY (user_id, conversation)
);

-- The record. The key appends within each conversation; the second index finds a repeated send.
CREATE TABLE message (
    conversation TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sender BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    body TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq)
);

CREATE UNIQUE INDEX message_by_client_id ON message (sender, client_id);
