-- Both SQLite and PostgreSQL read this. Times are milliseconds since 1970.

-- Where ids come from. An id is never used twice.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO counter (name, last)
VALUES ('audit', 0), ('announcement', 0), ('campaign', 0), ('report', 0), ('rule', 0), ('rule_version', 0);

-- The audit log: what was asked for, before it is done. 0002_audit keeps both tables from being changed.
CREATE TABLE audit (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    by_user BIGINT,
    -- Separated by commas
    roles TEXT NOT NULL,
    origin TEXT NOT NULL,
    method TEXT NOT NULL,
    on_user BIGINT,
    request TEXT NOT NULL
);
CREATE INDEX audit_by_user ON audit (by_user, id);
CREATE INDEX audit_on_user ON audit (on_user, id);
CREATE INDEX audit_by_method ON audit (method, id);

-- What became of it.
CREATE TABLE audit_outcome (
    entry BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    -- 'ok', or the name of the refusal's code
    code TEXT NOT NULL,
    message TEXT NOT NULL
);

CREATE TABLE announcement (
    id BIGINT PRIMARY KEY,
    -- Counts the changes of the text, from 1.
    revision BIGINT NOT NULL,
    text TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    withdrawn_at BIGINT
);
CREATE INDEX announcement_until ON announcement (until_at);

-- The latest revision of an announcement that a user has seen.
CREATE TABLE seen (
    announcement_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (announcement_id, user_id)
);

CREATE TABLE campaign (
    id BIGINT PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    -- `admin::Segment` in JSON
    segment TEXT NOT NULL,
    starts_at BIGINT,
    ends_at BIGINT,
    from_minute BIGINT,
    to_minute BIGINT,
    per_second BIGINT NOT NULL,
    -- 'draft', 'running', 'paused', 'done', 'expired' or 'cancelled'
    state TEXT NOT NULL,
    trouble TEXT,
    recipients BIGINT,
    -- Everyone in the segment up to this user has it; 0 at first.
    last_user BIGINT NOT NULL,
    -- Which copy of this module sends, and until when nobody else does.
    lease_by TEXT,
    lease_until BIGINT,
    made_by BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX campaign_by_state ON campaign (state, id);

-- What users report. Reports of the same, while it is open, are one.
CREATE TABLE report (
    id BIGINT PRIMARY KEY,
    -- Names what is reported: 'user:7', or 'message:u3-u7:12'.
    subject TEXT NOT NULL,
    -- `admin::Subject` in JSON
    about TEXT NOT NULL,
    -- Who reported it first, and why. The rules that report a user are that user's id below 0.
    by_user BIGINT NOT NULL,
    reason TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    settled_by BIGINT,
    settled_at BIGINT,
    note TEXT
);
CREATE UNIQUE INDEX report_open ON report (subject) WHERE settled_at IS NULL;

CREATE TABLE reporter (
    report_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (report_id, user_id)
);
CREATE INDEX reporter_by_user ON reporter (user_id, at);

-- What names and texts must not contain. Its version is in `counter`.
CREATE TABLE rule (
    id BIGINT PRIMARY KEY,
    -- `admin::Rule` in JSON
    rule TEXT NOT NULL
);

-- Which version of the rules a module has.
CREATE TABLE rule_holder (
    module TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
