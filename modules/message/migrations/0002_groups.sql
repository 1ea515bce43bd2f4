-- Groups, and what can happen to a message after it was sent. One statement text for SQLite and PostgreSQL.

-- Of a group, `gate_version` is the group's version, and `open` is 0 once it was dissolved. Until `muted_until` its plain
-- members can't write. `revision` counts the changes of messages.
ALTER TABLE conversation ADD COLUMN muted_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- `role`: 0 a plain member, 1 an administrator, 2 the owner. A member reads from `first_seq` on, and became a member by the
-- group's version `since`.
ALTER TABLE member ADD COLUMN role BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN first_seq BIGINT NOT NULL DEFAULT 1;
ALTER TABLE member ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN muted_until BIGINT NOT NULL DEFAULT 0;

CREATE INDEX member_by_conversation ON member (conversation, first_seq);

-- `extras`: what few messages have, in JSON; see `store/rows.rs`. `data`: what a payload says, apart from it because it can be
-- long. `indexed`: whether the search knows the message; those that were there before it are added at the next start.
ALTER TABLE message ADD COLUMN extras TEXT;
ALTER TABLE message ADD COLUMN data TEXT;
ALTER TABLE message ADD COLUMN edited_at BIGINT;
ALTER TABLE message ADD COLUMN recalled_by BIGINT;
ALTER TABLE message ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0;

CREATE INDEX message_by_revision ON message (conversation, revision) WHERE revision > 0;
CREATE INDEX message_not_indexed ON message (conversation, seq) WHERE indexed = 0;

-- `revision`: the conversation's when the reaction came, which orders them.
CREATE TABLE reaction (
    conversation TEXT NOT NULL,
    seq BIGINT NOT NULL,
    reaction TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq, reaction, user_id)
);
