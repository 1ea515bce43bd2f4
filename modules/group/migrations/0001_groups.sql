-- Both SQLite and PostgreSQL read this. Times are milliseconds since 1970.

-- Where the ids of groups come from. An id is never used twice.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO counter (name, last) VALUES ('group', 0);

-- Whoever changes anything about a group, or about who is in it, locks its row first.
CREATE TABLE chat_group (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    -- 'open', 'approval' or 'invitation'
    admission TEXT NOT NULL,
    -- 'from_joining' or 'everything'
    visible TEXT NOT NULL,
    -- Counts what the message module is told, from 1.
    version BIGINT NOT NULL,
    members BIGINT NOT NULL,
    muted_until BIGINT,
    announcement TEXT,
    announced_by BIGINT,
    announced_at BIGINT,
    -- The last transfer: who passed the group on, and to whom. Tells a repeated transfer from another one.
    passed_on_by BIGINT,
    passed_on_to BIGINT,
    created_at BIGINT NOT NULL,
    dissolved_at BIGINT
);

-- The members; those of a dissolved group as well, until they leave.
CREATE TABLE member (
    group_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    -- 'owner', 'administrator' or 'member'
    role TEXT NOT NULL,
    muted_until BIGINT,
    since BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX member_by_user ON member (user_id, group_id);
CREATE UNIQUE INDEX member_one_owner ON member (group_id) WHERE role = 'owner';

-- Who waits outside a group, and why: 'asking' to join, or 'blocked', that is, kept out. Nobody does both.
CREATE TABLE outsider (
    group_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX outsider_by_user ON outsider (user_id, group_id);

-- Deleted users. A call of theirs, or an invitation, may still be under way when they are taken out of their groups.
CREATE TABLE departed (
    user_id BIGINT PRIMARY KEY
);

-- Changes that the message module has not confirmed yet, or of which the users have not been told yet.
CREATE TABLE outbox (
    group_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    by_user BIGINT NOT NULL,
    visible TEXT NOT NULL,
    -- `group::Change` in JSON
    change TEXT NOT NULL,
    PRIMARY KEY (group_id, version)
);
